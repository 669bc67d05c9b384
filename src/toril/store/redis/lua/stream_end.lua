--- The end of the event stream.
--- @returns the latest id, and entries ever added ('' if the server does not count)
--- @include "stream"

local facts = stream_facts()
return { facts[1], facts[2] }
