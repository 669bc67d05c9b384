--- Become the one who moves the cursor of a named reader. A new reader begins at `id`, or now if that is ''.
--- @args    reader owner id
--- @returns id and count of the cursor; the count is '' if it is not known
--- @include "stream"

local key = base .. 'toril:reader:' .. reader
local stored = redis.call('HMGET', key, 'id', 'count')
if not stored[1] then
  local facts = stream_facts()
  stored = id == '' and { facts[1], facts[2] } or { id, '' }
  redis.call('HSET', key, 'id', stored[1], 'count', stored[2])
end
redis.call('HSET', key, 'owner', owner)
return stored
