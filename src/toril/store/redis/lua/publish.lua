--- Append an event of the user's own; the stream is trimmed to its cap, or to `most` entries.
--- @args    words most
--- @returns id of the event
--- @include "events"

local key, entry = base .. 'events', cmsgpack.unpack(words)
local cap = most == '' and event_cap(base) or most
return redis.call('XADD', key, 'MAXLEN', '~', cap, '*', 'event', unpack(entry))
