--- Move the cursor of a named reader, if nobody else has claimed it since.
--- @args    reader owner id count
--- @returns 1, or 0 if the reader is another's

local key = base .. 'toril:reader:' .. reader
if redis.call('HGET', key, 'owner') ~= owner then
  return 0
end
redis.call('HSET', key, 'id', id, 'count', count)
return 1
