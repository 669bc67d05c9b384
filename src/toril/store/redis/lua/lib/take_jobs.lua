--- Take jobs for a worker: what one fetch after the other would take, in one go.
--- claim: { token, lock_ms, count, now, worker, max, duration, aged }; what comes after now may be missing.
--- aged: so many are taken for their age first, though others have a higher priority.
--- @include "marker"
--- @include "gate"
--- @include "pushes"
--- @include "locks"

-- Promotion moves at most so many due jobs in a call, those that were due first, so that no call takes long.
-- It is more than a call takes: workers that take little don't keep due jobs from their place in the line.
local MOST_PROMOTED = 200
-- No more jobs are taken in a call once their payloads have so many bytes.
local HEAVIEST = 1000000

--- Move due jobs from delayed to where they wait. Answers whether there may be more.
local function promote_due(base, now, open)
  local highest = (now + 1) * SLOTS_PER_MS - 1
  local ids = redis.call('ZRANGEBYSCORE', base .. 'delayed', 0, highest, 'LIMIT', 0, MOST_PROMOTED)
  if #ids == 0 then
    return false
  end
  redis.call('ZREM', base .. 'delayed', unpack(ids))
  for _, id in ipairs(ids) do
    -- What holds no job is found out when it is taken; it must not hold up the others.
    local priority = redis.pcall('HGET', base .. id, 'priority')
    push_ready(base, id, type(priority) == 'string' and tonumber(priority) or 0, 'L', open)
    emit(base, 'waiting', 'jobId', id, 'prev', 'delayed')
    redis.pcall('HSET', base .. id, 'delay', 0)
  end
  flush_pushes()
  return #ids == MOST_PROMOTED
end

--- When the next delayed job is due, in whole ms, or 0.
local function next_due(base)
  local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
  return first[2] and math.floor(tonumber(first[2]) / SLOTS_PER_MS) or 0
end

--- How many jobs the rate limit lets start, and for how many ms it lets none.
local function within_rate(base, max, wanted)
  local used = tonumber(redis.call('GET', base .. 'limiter')) or 0
  if used < max then
    return math.min(wanted, max - used), 0
  end
  local ttl = redis.call('PTTL', base .. 'limiter')
  if ttl > 0 then
    return 0, ttl
  end
  if ttl == 0 then
    redis.call('DEL', base .. 'limiter')
    return math.min(wanted, max), 0
  end
  return wanted, 0
end

--- Version 4 of BullMQ left ids like `0:17` behind as markers; they are no jobs.
local function without_markers(ids)
  local jobs = {}
  for _, id in ipairs(ids) do
    if not is_marker(id) then
      jobs[#jobs + 1] = id
    end
  end
  return jobs
end

--- Move up to `wanted` ids into active: from wait, then from prioritized. Answers them, and the scores of the
--- latter.
local function pop_ready(base, wanted)
  local popped = redis.call('RPOP', base .. 'wait', wanted) or {}
  local ids, scores = without_markers(popped), {}
  if #popped < wanted then
    local ranked = redis.call('ZPOPMIN', base .. 'prioritized', wanted - #popped)
    for i = 1, #ranked, 2 do
      ids[#ids + 1] = ranked[i]
      scores[ranked[i]] = ranked[i + 1]
    end
  elseif #ids == 0 then
    return pop_ready(base, wanted)
  end
  if #ids > 0 then
    call_with_many('LPUSH', base .. 'active', ids)
  end
  return ids, scores
end

--- Move up to `wanted` ids into active, and before all others those that this claim takes for their age.
local function pop_next(base, wanted, claim)
  local aged = math.min(claim.aged or 0, wanted)
  if aged > 0 then
    --- @include "passed_over"
    claim.aged = 0
    local ids, scores = pop_passed_over(base, aged)
    if #ids > 0 then
      return ids, scores
    end
  end
  return pop_ready(base, wanted)
end

--- Put the last of those that were popped back to where they were.
local function put_off(base, count, scores)
  -- The one that was popped last comes first.
  for _, id in ipairs(redis.call('LPOP', base .. 'active', count)) do
    if scores[id] then
      redis.call('ZADD', base .. 'prioritized', scores[id], id)
    else
      redis.call('RPUSH', base .. 'wait', id)
    end
  end
end

--- Mark a job as started by this claim. Answers its fields, or nil when its key holds no job; whether it was
--- deferred; and the bytes of its payload.
local function activate(base, id, claim)
  local job_key = base .. id
  local fields = redis.pcall('HGETALL', job_key)
  if fields.err then
    redis.call('LREM', base .. 'active', 1, id)
    return nil
  end
  local started, deferred, bytes = 0, false, 0
  for i = 1, #fields, 2 do
    if fields[i] == 'ats' then
      started = tonumber(fields[i + 1]) or 0
    elseif fields[i] == 'defa' then
      deferred = true
    elseif fields[i] == 'data' then
      bytes = #fields[i + 1]
    end
  end
  if claim.token ~= '0' then
    redis.call('SET', job_key .. ':lock', claim.token, 'PX', claim.lock_ms)
  end
  emit(base, 'active', 'jobId', id, 'prev', 'waiting')
  local last = #fields
  fields[last + 1], fields[last + 2] = 'processedOn', claim.now
  fields[last + 3], fields[last + 4] = 'ats', started + 1
  if claim.worker then
    fields[last + 5], fields[last + 6] = 'pb', claim.worker
  end
  redis.call('HSET', job_key, unpack(fields, last + 1))
  return fields, deferred, bytes
end

--- Count started jobs against the rate; the first one of a window starts its time.
local function count_started(base, started, window)
  if started > 0 and redis.call('INCRBY', base .. 'limiter', started) == started then
    redis.call('PEXPIRE', base .. 'limiter', math.floor(math.abs(window)))
  end
end

--- Start jobs until they are heavy enough; the others wait on. Answers whether there were others.
local function activate_all(base, ids, scores, claim, max, window, taken)
  local counted, weight, left = 0, 0, #ids
  for _, id in ipairs(ids) do
    if weight >= HEAVIEST then
      put_off(base, left, scores)
      break
    end
    local fields, deferred, bytes = activate(base, id, claim)
    left = left - 1
    if fields then
      taken[#taken + 1] = { id, fields }
      counted = counted + (deferred and 0 or 1)
      weight = weight + bytes
    end
  end
  if max then
    count_started(base, counted, window)
  end
  mark_ready(base)
  return left > 0
end

--- Answers { jobs, limited ms, next due ms, why }: why there are fewer than were asked for; 1 if the queue is
--- closed, 2 if those that were taken are heavy.
local function take_jobs(base, claim)
  flush_pushes()
  local meta = redis.call('HMGET', base .. 'meta', 'paused', 'concurrency', 'max', 'duration')
  local most_active = tonumber(meta[2])
  local window = tonumber(claim.duration or meta[4])
  -- A limit without a window would never let go.
  local max = window and tonumber(meta[3] or claim.max)
  local active = most_active and redis.call('LLEN', base .. 'active') or 0
  local taken, promoted = {}, false
  while #taken < claim.count do
    local open = not meta[1] and not (most_active and active >= most_active)
    if not promoted then
      promote_due(base, claim.now, open)
      promoted = true
    end
    local wanted, limited = claim.count - #taken, 0
    if max then
      wanted, limited = within_rate(base, max, wanted)
    end
    if limited > 0 then
      return { taken, limited, 0, 0 }
    end
    if not open then
      return { taken, 0, 0, 1 }
    end
    local most = most_active and math.min(wanted, most_active - active) or wanted
    local ids, scores = pop_next(base, most, claim)
    if #ids == 0 then
      redis.call('DEL', base .. 'pc')
      return { taken, 0, next_due(base), 0 }
    end
    if activate_all(base, ids, scores, claim, max, window, taken) then
      return { taken, 0, 0, 2 }
    end
    active = active + #ids
  end
  return { taken, 0, 0, 0 }
end

--- After a lost answer: jobs that this very claim has taken already.
local function adopt_jobs(base, claim)
  local found = {}
  for _, id in ipairs(redis.call('LRANGE', base .. 'active', 0, -1)) do
    local lock = base .. id .. ':lock'
    if token_in(lock) == claim.token then
      -- Its worker counts from now on.
      redis.call('PEXPIRE', lock, claim.lock_ms)
      found[#found + 1] = { id, redis.call('HGETALL', base .. id) }
    end
  end
  return found
end
