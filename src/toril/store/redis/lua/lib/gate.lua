--- The gate of a queue: open unless it is paused or at its global concurrency.

local function gate_is_open(base)
  local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency')
  if meta[1] then
    return false
  end
  return not meta[2] or redis.call('LLEN', base .. 'active') < tonumber(meta[2])
end
