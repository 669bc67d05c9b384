--- How many waiting jobs have each of these priorities; those without one count for 0.
--- @args    priorities
--- @returns a number for each priority

local call = redis.call
local step = 4294967296
local counts = {}
for i, priority in ipairs(cmsgpack.unpack(priorities)) do
  if priority == 0 then
    counts[i] = call('LLEN', base .. 'wait')
  else
    counts[i] = call('ZCOUNT', base .. 'prioritized', priority * step, (priority + 1) * step - 1)
  end
end
return counts
