--- Resume a queue. What version 5 of BullMQ parked in `paused` goes to the front of `wait`.
--- @args    quiet
--- @returns how many jobs are still parked; the caller repeats, quietly, until there are none
--- @include "pushes"

local call = redis.call
-- A call moves at most this many, so that a long list can't block the server.
local MOST_MOVED = 7000

call('HDEL', base .. 'meta', 'paused')
if call('EXISTS', base .. 'paused') == 1 then
  if call('EXISTS', base .. 'wait') == 0 then
    call('RENAME', base .. 'paused', base .. 'wait')
  else
    call_with_many('RPUSH', base .. 'wait', call('LRANGE', base .. 'paused', 0, MOST_MOVED - 1))
    call('LTRIM', base .. 'paused', MOST_MOVED, -1)
  end
end
if call('EXISTS', base .. 'wait', base .. 'prioritized') > 0 then
  mark_ready(base)
else
  mark_next_due(base)
end
if quiet ~= '1' then
  emit(base, 'resumed')
end
return call('LLEN', base .. 'paused')
