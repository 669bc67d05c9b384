--- Active jobs that go back to where jobs wait, instead of being finished.
--- @include "locks"
--- @include "take_jobs"

--- Let go of an active job. Answers 0 or the number of the refusal; a job that turns out not to be active
--- has lost its lock and got its fields all the same, as in BullMQ.
local function release_active(base, id, token, fields)
  if redis.call('EXISTS', base .. id) == 0 then
    return -1
  end
  local number = release_lock(base, id, token)
  if number ~= 0 then
    return number
  end
  if fields and #fields > 0 then
    redis.call('HSET', base .. id, unpack(fields))
  end
  return redis.call('LREM', base .. 'active', -1, id) == 1 and 0 or -3
end

--- The attempts made, this one included. A counter that is no number starts anew, and it is read before the
--- job leaves the active ones: nothing may fail after that.
local function next_attempt(base, id)
  return math.floor(tonumber(redis.call('HGET', base .. id, 'atm')) or 0) + 1
end

local function retry(base, now, id, token, side, fields)
  -- The due jobs come first, even when this retry is refused.
  flush_pushes()
  promote_due(base, now, gate_is_open(base))
  local priority, attempt = tonumber(redis.call('HGET', base .. id, 'priority')), next_attempt(base, id)
  local number = release_active(base, id, token, fields)
  if number == 0 then
    push_ready(base, id, priority, side, gate_is_open(base))
    redis.call('HSET', base .. id, 'atm', attempt)
    emit_trimmed(base, 'waiting', 'jobId', id, 'prev', 'active')
  end
  return number
end

--- quiet: don't tell when the job is due.
local function delay(base, now, id, token, delay_ms, counts, fields, quiet)
  local attempt = counts and next_attempt(base, id)
  local number = release_active(base, id, token, fields)
  if number == 0 then
    if counts then
      redis.call('HSET', base .. id, 'atm', attempt)
    end
    redis.call('HSET', base .. id, 'delay', delay_ms)
    local due = due_time(now, delay_ms)
    push_delayed(base, id, due, quiet)
    emit_trimmed(base, 'delayed', 'jobId', id, 'delay', due)
  end
  return number
end

--- To the front of the line. A job that isn't active any more is left where it is.
local function wait(base, _, id, token)
  local number = release_active(base, id, token)
  if number ~= 0 and number ~= -3 then
    return number
  end
  if number == 0 then
    local priority = tonumber(redis.call('HGET', base .. id, 'priority')) or 0
    if priority > 0 then
      push_front_of_priority(base, id, priority)
    else
      push_wait(base, id, 'R', gate_is_open(base))
    end
    emit_trimmed(base, 'waiting', 'jobId', id, 'prev', 'active')
  end
  return math.max(redis.call('PTTL', base .. 'limiter'), 0)
end

local function await_children(base, now, id, token, child)
  local job_key = base .. id
  if redis.call('EXISTS', job_key) == 0 then
    return -1
  end
  if redis.call('EXISTS', job_key .. ':unsuccessful') == 1 then
    return -9
  end
  local pending
  if child then
    pending = redis.call('SISMEMBER', job_key .. ':dependencies', child)
  else
    pending = redis.call('EXISTS', job_key .. ':dependencies')
  end
  if pending == 0 then
    return 1
  end
  local number = release_active(base, id, token)
  if number == 0 then
    redis.call('ZADD', base .. 'waiting-children', now, id)
    emit(base, 'waiting-children', 'jobId', id, 'prev', 'active')
  end
  return number
end
