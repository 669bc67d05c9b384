--- Workers that tell nothing of themselves any more, though they have not said that they leave.
--- @include "events"

--- Each is told of once, as an event with what it has told last; nobody else looks within the interval.
local function tell_lost_workers(now, interval_ms)
  local workers = base .. 'toril:workers'
  -- A gate of its own: the one of stalled jobs is passed by workers of BullMQ as well, which tell of nobody.
  if redis.call('EXISTS', workers) == 0
    or not redis.call('SET', base .. 'toril:workers-check', now, 'PX', interval_ms, 'NX') then
    return
  end
  for _, id in ipairs(redis.call('HKEYS', workers)) do
    if redis.call('EXISTS', base .. 'toril:worker:' .. id) == 0 then
      local status = redis.call('HGET', workers, id)
      redis.call('HDEL', workers, id)
      emit(base, 'worker-lost', 'worker', id, 'status', status)
    end
  end
end
