--- How many jobs a state holds, and how it is stored.

local lists = { wait = true, active = true, paused = true }

local function length_of(state)
  local key = base .. state
  if not lists[state] then
    return redis.call('ZCARD', key)
  end
  local length = redis.call('LLEN', key)
  -- Version 4 of BullMQ left a marker at the end of the lists that jobs wait in.
  if state ~= 'active' and string.sub(redis.call('LINDEX', key, -1) or '', 1, 2) == '0:' then
    length = length - 1
    if length > 0 then
      redis.call('RPOP', key)
    end
  end
  return length
end
