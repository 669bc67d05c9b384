--- Let a delayed job be due at another time.
--- @args    id delay_ms now
--- @returns 0 or a refusal
--- @errors  -1 job missing  -3 not delayed
--- @include "pushes"

local call = redis.call
if call('EXISTS', base .. id) == 0 then
  return -1
end
local due = due_time(tonumber(now), tonumber(delay_ms))
-- The score is looked for before the job leaves its old one, as BullMQ does.
delayed_score(base, due)
if call('ZREM', base .. 'delayed', id) == 0 then
  return -3
end
call('HSET', base .. id, 'delay', delay_ms)
call('ZADD', base .. 'delayed', pushes_of(base).last_due[due], id)
emit_trimmed(base, 'delayed', 'jobId', id, 'delay', due)
mark_next_due(base)
return 0
