--- Pause a queue: nothing is taken from it until it is resumed.
--- @returns { version in the queue's meta, 1 if version 5 of BullMQ has parked jobs in `paused` }
--- @include "events"

redis.call('HSET', base .. 'meta', 'paused', 1)
redis.call('DEL', base .. 'marker')
emit(base, 'paused')
return { redis.call('HGET', base .. 'meta', 'version') or '', redis.call('EXISTS', base .. 'paused') }
