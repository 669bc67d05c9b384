--- How the workers are that have told of themselves of late.
--- @returns what each of them has told last

local call = redis.call
local found = {}
local told = call('HGETALL', base .. 'toril:workers')
for i = 1, #told, 2 do
  if call('EXISTS', base .. 'toril:worker:' .. told[i]) == 1 then
    found[#found + 1] = told[i + 1]
  end
end
return found
