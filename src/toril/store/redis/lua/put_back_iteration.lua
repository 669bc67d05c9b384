--- Add the job of a scheduler that was lost, unless somebody has seen to it.
--- @args    id due made now
--- @returns 1 added  0 not needed
--- @include "scheduling"

local call = redis.call
local job = 'repeat:' .. id .. ':' .. due
if call('ZSCORE', base .. 'repeat', id) ~= due or call('EXISTS', base .. job) == 1 then
  return 0
end
local terms = cmsgpack.unpack(made)
local stored = call('HMGET', base .. 'repeat:' .. id, 'name', 'data')
terms.name, terms.data = stored[1] or id, stored[2] or '{}'
add_iteration(id, job, terms, tonumber(due), tonumber(now))
flush_pushes()
return 1
