--- Set or forget limits of the whole queue, and tell the workers if jobs may start now that could not before.
--- @args    limits
--- @returns 0
--- limits: { name, value } for each; a value of false forgets it.
--- @include "wake"

local call = redis.call
for _, limit in ipairs(cmsgpack.unpack(limits)) do
  if limit[2] then
    call('HSET', base .. 'meta', limit[1], limit[2])
  else
    call('HDEL', base .. 'meta', limit[1])
  end
end
wake_if_ready(base)
return 0
