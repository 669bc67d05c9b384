--- The gate of a queue: open unless it is paused or at its global concurrency.

local function gate_is_open(base)
  local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency')
  if meta[1] then
    return false
  end
  local most_active = tonumber(meta[2])
  return not most_active or redis.call('LLEN', base .. 'active') < most_active
end
