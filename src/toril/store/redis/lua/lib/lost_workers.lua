--- Workers that tell nothing of themselves any more, though they have not said that they leave.
--- @include "events"

--- Each is told of once, as an event with what it has told last.
local function tell_lost_workers()
  local workers = base .. 'toril:workers'
  for _, id in ipairs(redis.call('HKEYS', workers)) do
    if redis.call('EXISTS', base .. 'toril:worker:' .. id) == 0 then
      local status = redis.call('HGET', workers, id)
      redis.call('HDEL', workers, id)
      emit(base, 'worker-lost', 'worker', id, 'status', status)
    end
  end
end
