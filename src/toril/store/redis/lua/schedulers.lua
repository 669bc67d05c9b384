--- Job schedulers, the one that runs next coming first if `ascending`.
--- @args    first last ascending
--- @returns a list of { id, when it runs next, fields }

local call = redis.call
local found = call(ascending == '1' and 'ZRANGE' or 'ZREVRANGE', base .. 'repeat', first, last, 'WITHSCORES')
local schedulers = {}
for i = 1, #found, 2 do
  schedulers[#schedulers + 1] = { found[i], found[i + 1], call('HGETALL', base .. 'repeat:' .. found[i]) }
end
return schedulers
