--- Events behind an id, and the state of the stream at the same moment: up to `count` of them, and none more
--- once they have `most` bytes. A piece is not known to be big before it is read, so pieces are small.
--- @args    after count most
--- @returns { last id, added, length, first id }, entries, 1 if there may be more of them or 0
--- @include "stream"

local PIECE = 8

local facts, entries, bytes = stream_facts(), {}, 0
count, most = tonumber(count), tonumber(most)

-- How many to read next: as many as fit if they are like those before.
local function piece()
  local fitting = bytes > 0 and math.ceil((most - bytes) * #entries / bytes) or 1
  return math.min(PIECE, count - #entries, fitting)
end

-- Add the next so many; false at the end of the stream.
local function read(asked)
  local last = entries[#entries]
  local from = '(' .. (last and last[1] or after)
  local found = redis.call('XRANGE', base .. 'events', from, '+', 'COUNT', asked)
  for _, entry in ipairs(found) do
    entries[#entries + 1] = entry
    for _, text in ipairs(entry[2]) do
      bytes = bytes + #text
    end
  end
  return #found == asked
end

local more = facts[3] > 0
while more and #entries < count and bytes < most do
  more = read(piece())
end
return { facts, entries, more and 1 or 0 }
