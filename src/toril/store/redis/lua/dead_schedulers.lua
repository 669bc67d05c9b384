--- Schedulers that are overdue although no job of theirs waits or runs. One look an interval, by whoever
--- comes first; a queue without schedulers is left as it is.
--- @args    interval_ms before now
--- @returns a list of { id, when it should have run, fields, fields of that job or nothing }
--- @include "state_of"

local call = redis.call
local MOST = 100
local over = { completed = true, failed = true, unknown = true }

local late = call('ZRANGEBYSCORE', base .. 'repeat', 0, before, 'WITHSCORES', 'LIMIT', 0, MOST)
if #late == 0 then
  return {}
end
if call('SET', base .. 'toril:schedules-check', now, 'PX', interval_ms, 'NX') == false then
  return {}
end
local dead = {}
for i = 1, #late, 2 do
  local id, due = late[i], late[i + 1]
  local job = 'repeat:' .. id .. ':' .. due
  local fields = call('HGETALL', base .. job)
  if #fields == 0 or over[state_of(base, job, MOST_LISTED)] then
    dead[#dead + 1] = { id, due, call('HGETALL', base .. 'repeat:' .. id), fields }
  end
end
return dead
