--- Whether the queue is at its global concurrency; a pause counts for nothing.
--- @returns 1 or 0

local most_active = tonumber(redis.call('HGET', base .. 'meta', 'concurrency'))
return most_active and redis.call('LLEN', base .. 'active') >= most_active and 1 or 0
