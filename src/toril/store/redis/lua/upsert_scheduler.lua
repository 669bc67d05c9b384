--- Make a job scheduler, or change it, and put its next job where it belongs.
--- terms: name, data, opts (what the scheduler keeps), every or pattern, tz, limit, start, end_, offset,
--- next (of a pattern), head, priority, lifo (of the job), renew (make the job anew though nothing changed).
--- @args    id terms_packed now
--- @returns { id of the next job, its delay in ms }, 0 if there is none any more, or a refusal
--- @errors  -10 its time is taken  -11 the next 32 times are taken
--- @include "removal"
--- @include "scheduling"

local call = redis.call
-- Slots that other jobs have taken are skipped, but not without end.
local MOST_SKIPPED = 32

local terms = cmsgpack.unpack(terms_packed)
local time = tonumber(now)
local key = base .. 'repeat:' .. id
local due_text = call('ZSCORE', base .. 'repeat', id)
local due = tonumber(due_text)
local fields = { 'name', 'data', 'opts', 'every', 'pattern', 'tz', 'limit', 'startDate', 'endDate' }
local values = { terms.name, terms.data, terms.opts, terms.every, terms.pattern, terms.tz, terms.limit,
  terms.start, terms.end_ }

--- A JSON text as a value; nothing if another client stored what is none.
local function decoded(text)
  local ok, value = pcall(cjson.decode, text or '')
  return ok and value or nil
end

--- Whether two decoded JSON values are the same.
local function is_same(one, other)
  if type(one) ~= 'table' or type(other) ~= 'table' then
    return one == other
  end
  for name, value in pairs(one) do
    if not is_same(value, other[name]) then
      return false
    end
  end
  for name in pairs(other) do
    if one[name] == nil then
      return false
    end
  end
  return true
end

--- Whether a stored field says what is wanted. Options may stand in another order: BullMQ does not keep it.
local function is_stored(field, stored, wanted)
  if field == 'opts' and stored and wanted then
    return stored == wanted or is_same(decoded(stored), decoded(wanted))
  end
  return (stored or nil) == (wanted and tostring(wanted))
end

--- Whether the scheduler is stored just so.
local function is_same_definition()
  if terms.renew or not due then
    return false
  end
  local stored = call('HMGET', key, unpack(fields))
  for i = 1, #fields do
    if not is_stored(fields[i], stored[i], values[i]) then
      return false
    end
  end
  return not terms.offset or call('HGET', key, 'offset') == tostring(terms.offset)
end

--- What there is to say of a scheduler that is stored just so: its job, or 0 when it has run as often as it may.
--- Nothing when its job is lost.
local function standing()
  local job = iteration_id(id, due)
  local last = call('HMGET', base .. job, 'rjk', 'finishedOn', 'opts')
  if last[1] == id and not last[2] then
    return { job, math.max(due - time, 0) }
  end
  local opts = last[1] == id and decoded(last[3])
  local repeated = type(opts) == 'table' and opts['repeat']
  local done = type(repeated) == 'table' and tonumber(repeated.count) or tonumber(call('HGET', key, 'ic'))
  return terms.limit and done and done >= terms.limit and 0 or nil
end

--- Take the pending job back; a worker may have it already.
local function remove_pending()
  local job = due_text and 'repeat:' .. id .. ':' .. due_text
  if not job or call('EXISTS', base .. job) == 0 then
    return false
  end
  local found = call('ZREM', base .. 'delayed', job) + call('ZREM', base .. 'prioritized', job) > 0
    or call('LREM', base .. 'wait', 1, job) + call('LREM', base .. 'paused', 1, job) > 0
  if found then
    remove_job(base, job, true, true)
  end
  return found
end

--- When the scheduler runs next, and its offset if the pending job did not fix it.
local function next_time(removed, changed)
  if not terms.every then
    return terms.next, not removed and (terms.offset or 0) or nil
  end
  local at, offset = next_interval(not changed and due or nil, time, terms)
  if removed and not changed then
    at = due
  end
  return at, (not removed or changed and not terms.renew) and offset or nil
end

--- Whether an interval begins anew. Where BullMQ looks at the interval alone, another start or phase counts, too.
local function begins_anew()
  if not (terms.every and due) then
    return false
  end
  local old = call('HMGET', key, 'every', 'startDate', 'offset')
  return tonumber(old[1]) ~= terms.every
    or not terms.renew
      and (tonumber(old[2]) ~= terms.start or terms.offset and tonumber(old[3]) ~= terms.offset)
end

--- The first time from `at` on that no other job has taken; or nil, and the refusal.
local function free_time(at, removed)
  local skipped = 0
  while call('EXISTS', base .. iteration_id(id, at)) == 1 do
    if not terms.every then
      return removed and at or nil, -10
    end
    if skipped == MOST_SKIPPED then
      return nil, -11
    end
    at = at + terms.every
    skipped = skipped + 1
  end
  return at
end

local function keep_scheduler(offset)
  local old = call('HMGET', key, 'ic', 'offset')
  local hash = { 'ic', old[1] or 1 }
  for i, field in ipairs(fields) do
    if values[i] then
      hash[#hash + 1] = field
      hash[#hash + 1] = values[i]
    end
  end
  offset = offset or terms.offset or old[2]
  if offset then
    hash[#hash + 1] = 'offset'
    hash[#hash + 1] = offset
  end
  call('DEL', key)
  call('HSET', key, unpack(hash))
end

local answer = is_same_definition() and standing()
if answer then
  return answer
end
event_cap(base)
local changed = begins_anew()
local removed = remove_pending()
local at, offset = next_time(removed, changed)
local refusal
at, refusal = free_time(at, removed)
if not at then
  return refusal
end
call('ZADD', base .. 'repeat', at, id)
keep_scheduler(offset)
terms.data = terms.data or '{}'
local job = iteration_id(id, at)
local delay = add_iteration(id, job, terms, at, time)
flush_pushes()
return { job, delay }
