--- Whether a job is finished, and with what.
--- @args    id
--- @returns "missing" | "unfinished" | "completed" | "failed", and the job's fields

local call = redis.call
local fields = call('HGETALL', base .. id)
if #fields == 0 then
  return { 'missing', fields }
end
for _, state in ipairs({ 'completed', 'failed' }) do
  if call('ZSCORE', base .. state, id) then
    return { state, fields }
  end
end
return { 'unfinished', fields }
