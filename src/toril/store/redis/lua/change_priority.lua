--- Give a job another priority; a waiting one moves, any other uses it when it waits next.
--- @args    id priority lifo
--- @returns 0 or a refusal
--- @errors  -1 job missing
--- @include "gate"
--- @include "pushes"

local call = redis.call
if call('EXISTS', base .. id) == 0 then
  return -1
end
local open = gate_is_open(base)
local number = tonumber(priority)
if call('ZREM', base .. 'prioritized', id) == 1 or call('LREM', base .. 'wait', -1, id) == 1 then
  if number > 0 and lifo == '1' then
    push_front_of_priority(base, id, number)
  else
    push_ready(base, id, number, lifo == '1' and 'R' or 'L', open)
  end
  flush_pushes()
end
call('HSET', base .. id, 'priority', priority)
return 0
