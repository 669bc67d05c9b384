--- Write the meta that dashboards find queues by.
--- @args    max_events version
--- @returns the version that it told before, or false

local key = base .. 'meta'
local before = redis.call('HGET', key, 'version')
redis.call('HSET', key, 'opts.maxLenEvents', max_events, 'version', version)
return before
