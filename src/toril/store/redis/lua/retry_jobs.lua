--- Move many finished or delayed jobs to wait, oldest first.
--- @args    state count before
--- @returns how many were moved; as many as `count` means that there may be more
--- @include "parents"

local call = redis.call
local open = gate_is_open(base)
local ids = call('ZRANGEBYSCORE', base .. state, 0, before, 'LIMIT', 0, count)
local forgotten = { failed = 'failedReason', completed = 'returnvalue' }
for _, id in ipairs(ids) do
  if forgotten[state] then
    call('HDEL', base .. id, 'finishedOn', 'processedOn', 'defa', forgotten[state])
    reattach_child(base .. id, state)
  end
  emit_trimmed(base, 'waiting', 'jobId', id, 'prev', state)
  push_wait(base, id, 'L', open)
end
call_with_many('ZREM', base .. state, ids)
flush_pushes()
return #ids
