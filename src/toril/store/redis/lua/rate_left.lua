--- For how long the rate limit lets no job start.
--- @args    max
--- @returns ms, 0 if jobs may start. If neither `max` nor the queue says how many may: what is left of the
---          window, -1 if it never ends, -2 if none has begun

local call = redis.call
local key = base .. 'limiter'
local most = tonumber(max) or tonumber(call('HGET', base .. 'meta', 'max'))
local left = call('PTTL', key)
if not most then
  return left
end
if (tonumber(call('GET', key)) or 0) < most then
  return 0
end
if left == 0 then
  call('DEL', key)
end
return math.max(left, 0)
