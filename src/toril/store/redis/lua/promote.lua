--- Let a delayed job wait now.
--- @args    id
--- @returns 0 or a refusal
--- @errors  -3 not delayed
--- @include "marker"
--- @include "gate"
--- @include "pushes"

local call = redis.call
if call('ZREM', base .. 'delayed', id) == 0 then
  return -3
end
-- Version 4 of BullMQ left a marker at the end of the line.
if is_marker(call('LINDEX', base .. 'wait', 0)) then
  call('LPOP', base .. 'wait')
end
push_ready(base, id, tonumber(call('HGET', base .. id, 'priority')), 'L', gate_is_open(base))
flush_pushes()
emit(base, 'waiting', 'jobId', id, 'prev', 'delayed')
call('HSET', base .. id, 'delay', 0)
return 0
