--- Events behind an id, and the state of the stream at the same moment.
--- @args    after count
--- @returns { last id, added, length, first id }, entries
--- @include "stream"

local facts = stream_facts()
if facts[3] == 0 then
  return { facts, {} }
end
return { facts, redis.call('XRANGE', base .. 'events', '(' .. after, '+', 'COUNT', count) }
