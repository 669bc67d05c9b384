--- The ids of a list that come after those read before, whatever was added, taken and removed meanwhile.
--- @args    state place anchors most
--- @returns ids, some of which were read before; the place after them, or -1 at the end
---
--- `anchors` are the last ids that were read, and `place` was the position after them. Jobs that stay in a list keep
--- their order, so all that stands behind an anchor is still to read, and the anchor that is found first in the list
--- is the safe one. If all of them are gone the list is read from its start again: the reader knows what it has.

local call = redis.call
-- Entries that are looked at for anchors that others may have moved.
local MOST_LOOKED_AT = 100000
local key, known = base .. state, {}
place, anchors, most = tonumber(place), cmsgpack.unpack(anchors), tonumber(most)
for _, id in ipairs(anchors) do
  known[id] = true
end

local function has_anchor(ids)
  for i, id in ipairs(ids) do
    if known[id] then
      return i
    end
  end
end

local function may_be_here(id)
  return call('EXISTS', base .. id) == 1 and not call('ZSCORE', base .. 'completed', id)
    and not call('ZSCORE', base .. 'failed', id)
end

--- Each anchor that is gone costs a look through the whole list, so at most two are missed in a long one.
local function place_of_anchor()
  local length = call('LLEN', key)
  local left = math.max(2 * length, MOST_LOOKED_AT)
  for _, id in ipairs(anchors) do
    if left > 0 and may_be_here(id) then
      local found = call('LPOS', key, id)
      if found then
        return found
      end
      left = left - length
    end
  end
  return 0
end

local count = #anchors + most
local from = math.max(place - #anchors, 0)
local ids = call('LRANGE', key, from, from + count - 1)
if #anchors > 0 and not has_anchor(ids) then
  from = place_of_anchor()
  ids = call('LRANGE', key, from, from + count - 1)
end
local after = from + #ids
return { ids, after < call('LLEN', key) and after or -1 }
