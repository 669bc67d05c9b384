--- Removing jobs: their keys, their place in a state, their tie to a parent.
--- @include "job_keys"
--- @include "parents"

--- Untie a job from its parent, which is released if nothing else holds it. `hard` also deletes a
--- parent of the same queue whose last child this was. The parent's priority and delay are ignored.
local function detach_from_parent(base, job_key, hard, parent_key)
  if not parent_key then
    parent_key = redis.call('HGET', job_key, 'parentKey')
    if not parent_key or parent_key == '' or redis.call('EXISTS', parent_key) == 0 then
      return false
    end
  end
  if redis.call('SREM', parent_key .. ':dependencies', job_key) == 0 then
    return false
  end
  if redis.call('SCARD', parent_key .. ':dependencies') > 0 then
    return true
  end
  local parent_base, parent_id = split_key(parent_key)
  if redis.call('ZREM', parent_base .. 'waiting-children', parent_id) == 0 then
    return true
  end
  if hard and parent_base == base then
    detach_from_parent(parent_base, parent_key, true)
    delete_job_keys(parent_key)
    local deid = redis.call('HGET', job_key, 'deid')
    if deid then
      redis.call('DEL', base .. 'de:' .. deid)
    end
    return true
  end
  push_wait(parent_base, parent_id, 'R', gate_is_open(parent_base))
  if not hard then
    emit(parent_base, 'waiting', 'jobId', parent_id, 'prev', 'waiting-children')
  end
  return true
end

--- A deduplication id is free again when the job that owns it is removed.
local function forget_deduplication(base, id, deid)
  if deid and redis.call('GET', base .. 'de:' .. deid) == id then
    redis.call('DEL', base .. 'de:' .. deid, base .. 'dn:' .. deid)
  end
end

--- Delete a job that the caller takes out of its state.
local function remove_job(base, id, hard, free_deduplication)
  local job_key = base .. id
  detach_from_parent(base, job_key, hard)
  if free_deduplication then
    forget_deduplication(base, id, redis.call('HGET', job_key, 'deid'))
  end
  return delete_job_keys(job_key)
end

local SORTED_STATES = { 'completed', 'waiting-children', 'delayed', 'failed', 'prioritized' }
local LISTED_STATES = { 'wait', 'paused', 'active' }

--- A parent that was just released is found at once, at the end that is served next.
local function leave_list(key, id)
  local from = redis.call('LINDEX', key, -1) == id and -1 or 1
  return redis.call('LREM', key, from, id) == 1
end

--- Take a job out of whatever state it is in; answers that state. listed: the list it was taken from already.
local function leave_any_state(base, id, listed)
  flush_pushes()
  for _, state in ipairs(SORTED_STATES) do
    if redis.call('ZREM', base .. state, id) == 1 then
      return state
    end
  end
  if listed then
    return listed
  end
  for _, state in ipairs(LISTED_STATES) do
    if leave_list(base .. state, id) then
      return state
    end
  end
  return 'unknown'
end
