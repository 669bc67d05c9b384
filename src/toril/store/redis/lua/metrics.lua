--- The counts of finished jobs, and at most so many of their points, newest first.
--- @args    kind first last most
--- @returns { count, time, count at that time }, how many points are kept, points, where to go on or -1

local call = redis.call
local key = base .. 'metrics:' .. kind
local data = key .. ':data'
local kept = call('LLEN', data)
first, last = tonumber(first), tonumber(last)
local from = first < 0 and math.max(kept + first, 0) or first
local to = math.min(last < 0 and kept + last or last, kept - 1)
local till = math.min(to, from + tonumber(most) - 1)
return {
  call('HMGET', key, 'count', 'prevTS', 'prevCount'),
  kept,
  from <= till and call('LRANGE', data, from, till) or {},
  till < to and till + 1 or -1,
}
