--- What happens to a parent when a child finishes, fails, is removed or is tried again.
--- @include "gate"
--- @include "pushes"

-- What the keys of this script's own queue begin with, before its name.
local own_prefix = string.match(base, '^(.*:)[^:]*:$') or ''

--- A job key is the base of its queue and the id. Ids may hold colons, names of queues don't: of keys with
--- our prefix the first part is the queue, of others the id is taken to be what follows the last colon.
--- known: the id, if it is known.
local function split_key(key, known)
  local suffix = known and ':' .. known
  if suffix and string.sub(key, -#suffix) == suffix then
    return string.sub(key, 1, -#suffix), known
  end
  if string.sub(key, 1, #own_prefix) == own_prefix then
    local name, id = string.match(key, '^([^:]+:)(.+)$', #own_prefix + 1)
    if name then
      return own_prefix .. name, id
    end
  end
  return string.match(key, '^(.*:)([^:]*)$')
end

--- Put a parent that waited for children where its delay and priority say.
local function ready_parent(key, known, now)
  local base, id = split_key(key, known)
  local fields = redis.call('HMGET', key, 'priority', 'delay')
  local delay = tonumber(fields[2]) or 0
  if delay > 0 then
    -- No search for a free slot here: BullMQ's score for this case is exact.
    flush_pushes()
    redis.call('ZADD', base .. 'delayed', (now + delay) * SLOTS_PER_MS, id)
    emit(base, 'delayed', 'jobId', id, 'delay', now + delay)
    mark_next_due(base)
    return
  end
  push_ready(base, id, tonumber(fields[1]), 'R', gate_is_open(base))
  emit(base, 'waiting', 'jobId', id, 'prev', 'waiting-children')
end

local function leave_waiting_children(key, known)
  local base, id = split_key(key, known)
  return redis.call('EXISTS', key) == 1 and redis.call('ZREM', base .. 'waiting-children', id) == 1
end

local function release_parent(key, known, now)
  if leave_waiting_children(key, known) then
    ready_parent(key, known, now)
  end
end

local function release_parent_without_pending(key, known, now)
  if redis.call('SCARD', key .. ':dependencies') == 0 then
    release_parent(key, known, now)
  end
end

--- parent: the `parent` field of the child, decoded.
local function child_completed(parent_key, parent, child_key, value, now)
  if redis.call('SREM', parent_key .. ':dependencies', child_key) == 1 then
    redis.call('HSET', parent_key .. ':processed', child_key, value)
    release_parent_without_pending(parent_key, parent.id, now)
  end
end

--- A child with "fail the parent" has failed: the parent fails at its next fetch, which comes at once
--- if it was waiting for children or for its time.
local function fail_parent_later(parent_key, known, child_key, now)
  redis.call('ZADD', parent_key .. ':unsuccessful', now, child_key)
  if redis.call('EXISTS', parent_key) == 0 then
    return
  end
  local base, id = split_key(parent_key, known)
  local reason = 'child ' .. child_key .. ' failed'
  flush_pushes()
  if redis.call('ZREM', base .. 'waiting-children', id) == 1 then
    redis.call('HSET', parent_key, 'defa', reason)
    ready_parent(parent_key, known, now)
  elseif redis.call('ZREM', base .. 'delayed', id) == 1 then
    redis.call('HSET', parent_key, 'delay', 0, 'defa', reason)
    ready_parent(parent_key, known, now)
  elseif not redis.call('ZSCORE', base .. 'failed', id) then
    redis.call('HSET', parent_key, 'defa', reason)
  end
end

--- policy: the `parent` field of the child, decoded.
local function child_failed(parent_key, policy, child_key, reason, now)
  if not (policy.fpof or policy.cpof or policy.idof or policy.rdof) then
    return
  end
  if redis.call('SREM', parent_key .. ':dependencies', child_key) == 0 then
    return
  end
  if policy.fpof then
    fail_parent_later(parent_key, policy.id, child_key, now)
  elseif policy.cpof then
    redis.call('HSET', parent_key .. ':failed', child_key, reason)
    release_parent(parent_key, policy.id, now)
  else
    release_parent_without_pending(parent_key, policy.id, now)
    if policy.idof then
      redis.call('HSET', parent_key .. ':failed', child_key, reason)
    end
  end
end

--- A finished child runs again, so its parent has to wait for it again.
local function reattach_child(job_key, from)
  local parent_key = redis.call('HGET', job_key, 'parentKey')
  if not parent_key or redis.call('EXISTS', parent_key) == 0 then
    return
  end
  local removed
  if from == 'failed' then
    removed = redis.call('ZREM', parent_key .. ':unsuccessful', job_key) == 1
      or redis.call('HDEL', parent_key .. ':failed', job_key) == 1
  else
    removed = redis.call('HDEL', parent_key .. ':processed', job_key) == 1
  end
  if removed then
    redis.call('SADD', parent_key .. ':dependencies', job_key)
  end
end
