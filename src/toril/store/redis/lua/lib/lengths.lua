--- How many jobs a state holds, and how it is stored.
--- @include "marker"

local lists = { wait = true, active = true, paused = true }

local function length_of(state)
  local key = base .. state
  if not lists[state] then
    return redis.call('ZCARD', key)
  end
  local length = redis.call('LLEN', key)
  -- The marker stands at the end.
  if state ~= 'active' and is_marker(redis.call('LINDEX', key, -1)) then
    length = length - 1
    if length > 0 then
      redis.call('RPOP', key)
    end
  end
  return length
end
