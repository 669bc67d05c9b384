--- Schedulers that are overdue although no job of theirs waits or runs, a page at a time. One look an interval,
--- by whoever comes first, or at any time if that is 0; a queue without schedulers is left as it is.
--- @args    interval_ms before first most now
--- @returns how many were looked at, and a list of { id, when it should have run, fields, fields of that job or
---          nothing }
--- @include "state_of"

local call = redis.call
local over = { completed = true, failed = true, unknown = true }

local late = call('ZRANGEBYSCORE', base .. 'repeat', 0, before, 'WITHSCORES', 'LIMIT', first, most)
if #late == 0 then
  return { 0, {} }
end
if first == '0' and interval_ms ~= '0' and not call('SET', base .. 'toril:schedules-check', now, 'PX', interval_ms, 'NX') then
  return { 0, {} }
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
return { #late / 2, dead }
