--- How many jobs each state holds. A state is a list or a sorted set.
--- @args    states
--- @returns a number for each state

local call = redis.call
local lists = { wait = true, active = true, paused = true }
local counts = {}
for i, state in ipairs(cmsgpack.unpack(states)) do
  counts[i] = call(lists[state] and 'LLEN' or 'ZCARD', base .. state)
  -- Version 4 of BullMQ left a marker at the end of a list.
  if lists[state] and string.sub(call('LINDEX', base .. state, -1) or '', 1, 2) == '0:' then
    counts[i] = counts[i] - 1
    if counts[i] > 0 then
      call('RPOP', base .. state)
    end
  end
end
return counts
