--- Pause a queue: nothing is taken from it until it is resumed.
--- @returns 0
--- @include "events"

redis.call('HSET', base .. 'meta', 'paused', 1)
redis.call('DEL', base .. 'marker')
emit(base, 'paused')
return 0
