--- Tell how a worker is, for `ttl_ms`; 0 says that it leaves.
--- @args    id status ttl_ms

local call = redis.call
-- What is left of a queue without workers goes by itself, but not before somebody may have come who tells of it.
local DAY_MS = 86400000

local workers, pulse = base .. 'toril:workers', base .. 'toril:worker:' .. id
if ttl_ms == '0' then
  call('HDEL', workers, id)
  call('DEL', pulse)
  return
end
call('HSET', workers, id, status)
call('PEXPIRE', workers, DAY_MS)
call('SET', pulse, '1', 'PX', ttl_ms)
