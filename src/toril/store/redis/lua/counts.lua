--- How many jobs each state holds. A state is a list or a sorted set.
--- @args    states
--- @returns a number for each state
--- @include "lengths"

local counts = {}
for i, state in ipairs(cmsgpack.unpack(states)) do
  counts[i] = length_of(state)
end
return counts
