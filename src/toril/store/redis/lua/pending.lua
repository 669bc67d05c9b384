--- What jobs that wait for children wait for.
--- @args    ids most
--- @returns for each job a list of { key of a child, its state or `missing` }, at most `most` of them, of which
---          an empty one means that nothing will release the job; false for one that does not wait
--- @include "parents"
--- @include "state_of"

local call = redis.call
-- So many entries of a list are looked at for a child; one further back is taken to be there. When the call
-- has looked at so many in all, only the sorted sets are asked.
local MOST_LISTED = 10000
local BUDGET = 100000
local spent = 0

--- How many entries a look through the lists of a queue goes over.
local function cost_of(child_base)
  return math.min(call('LLEN', child_base .. 'active'), MOST_LISTED)
    + math.min(call('LLEN', child_base .. 'wait'), MOST_LISTED)
end

local function child_state(key)
  if call('EXISTS', key) == 0 then
    return 'missing'
  end
  local child_base, child_id = split_key(key)
  spent = spent + cost_of(child_base)
  return state_of(child_base, child_id, spent > BUDGET and 1 or MOST_LISTED)
end

local answers = {}
for i, id in ipairs(cmsgpack.unpack(ids)) do
  local children = call('ZSCORE', base .. 'waiting-children', id) and {}
  if children then
    for _, child in ipairs(call('SRANDMEMBER', base .. id .. ':dependencies', most)) do
      children[#children + 1] = { child, child_state(child) }
    end
  end
  answers[i] = children
end
return answers
