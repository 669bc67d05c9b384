--- Whether a job is finished, with what, and where the events ended when it was not.
--- @args    id
--- @returns "missing" | "unfinished" | "completed" | "failed", the job's fields, id of the last event or 0-0

local call = redis.call
local fields = call('HGETALL', base .. id)
if #fields == 0 then
  return { 'missing', fields, '0-0' }
end
for _, state in ipairs({ 'completed', 'failed' }) do
  if call('ZSCORE', base .. state, id) then
    return { state, fields, '0-0' }
  end
end
-- What is no stream has no events; who reads it hears of that.
local last = redis.pcall('XREVRANGE', base .. 'events', '+', '-', 'COUNT', 1)
return { 'unfinished', fields, last[1] and last[1][1] or '0-0' }
