--- Move the cursor of a named reader, if nobody else has claimed it since. One that is gone, with the whole
--- queue or by a loss of the server's, is made again: only an owner that is there can be another one.
--- @args    reader owner id count
--- @returns 1, or 0 if the reader is another's

local key = base .. 'toril:reader:' .. reader
local now = redis.call('HGET', key, 'owner')
if now and now ~= owner then
  return 0
end
redis.call('HSET', key, 'owner', owner, 'id', id, 'count', count)
return 1
