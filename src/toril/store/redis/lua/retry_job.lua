--- Run a finished job again.
--- @args    id state side reset
--- @returns 0 or a refusal; `reset` names the counters to forget, separated by blanks
--- @errors  -1 job missing  -3 not in that state
--- @include "parents"

local call = redis.call
local job_key = base .. id
if call('EXISTS', job_key) == 0 then
  return -1
end
if call('ZREM', base .. state, id) == 0 then
  return -3
end
-- A job that completed all the same when it was cancelled is not cancelled any more.
call('HDEL', job_key, 'finishedOn', 'processedOn', 'defa', state == 'failed' and 'failedReason' or 'returnvalue')
for field in string.gmatch(reset, '%S+') do
  call('HDEL', job_key, field)
end
push_ready(base, id, tonumber(call('HGET', job_key, 'priority')), side, gate_is_open(base))
flush_pushes()
reattach_child(job_key, state)
emit_trimmed(base, 'waiting', 'jobId', id, 'prev', state)
return 0
