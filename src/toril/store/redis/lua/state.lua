--- The state of a job.
--- @args    id
--- @returns the name of the state, or `unknown`

local call = redis.call
for _, state in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
  if call('ZSCORE', base .. state, id) then
    return state
  end
end
if call('LPOS', base .. 'active', id) then
  return 'active'
end
if call('LPOS', base .. 'wait', id) or call('LPOS', base .. 'paused', id) then
  return 'waiting'
end
return call('ZSCORE', base .. 'waiting-children', id) and 'waiting-children' or 'unknown'
