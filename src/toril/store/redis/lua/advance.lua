--- Add the next job of schedulers whose job has been taken. Only the newest job of a scheduler has a
--- successor, so jobs that run again add none.
--- A producer is { scheduler, id of the taken job, head, every, next, priority, lifo, deid }; every is false for
--- a pattern, next for an interval.
--- @args    producers now
--- @returns for each the id of the next job, false, or { the text of an error } that concerns it alone
--- @include "scheduling"

local call = redis.call
local time = tonumber(now)

local function terms_of(scheduler, every)
  local stored = call('HMGET', base .. 'repeat:' .. scheduler, 'name', 'data', 'every', 'startDate', 'offset')
  return {
    name = stored[1] or scheduler, data = stored[2] or '{}', every = tonumber(stored[3]) or every,
    start = tonumber(stored[4]), offset = tonumber(stored[5]),
  }
end

local function advance(scheduler, producer, head, every, next_match, priority, lifo, deid)
  local due_text = call('ZSCORE', base .. 'repeat', scheduler)
  if not due_text then
    return false
  end
  local terms = terms_of(scheduler, every or nil)
  local at = next_match
  if terms.every then
    at = next_interval(tonumber(due_text), time, terms)
  end
  if not at or producer ~= 'repeat:' .. scheduler .. ':' .. due_text then
    return false
  end
  local id = iteration_id(scheduler, at)
  if call('EXISTS', base .. id) == 1 then
    emit_trimmed(base, 'duplicated', 'jobId', id)
    return false
  end
  call('ZADD', base .. 'repeat', at, scheduler)
  call('HINCRBY', base .. 'repeat:' .. scheduler, 'ic', 1)
  terms.head, terms.priority, terms.lifo, terms.deid = head, priority, lifo, deid or nil
  add_iteration(scheduler, id, terms, at, time)
  return id
end

local answers = {}
for i, producer in ipairs(cmsgpack.unpack(producers)) do
  local ok, answer = pcall(advance, unpack(producer))
  if not ok then
    answer = { type(answer) == 'table' and answer.err or tostring(answer) }
  end
  answers[i] = answer
end
flush_pushes()
return answers
