--- Remove a job, and its children if asked to, unless a worker runs one of them.
--- @args    id with_children
--- @returns 1 removed (or never there)  0 locked  -8 owned by a scheduler
--- @include "removal"

local call = redis.call

local function is_next_iteration(queue, job)
  local scheduler = call('HGET', queue .. job, 'rjk')
  local due = scheduler and call('ZSCORE', queue .. 'repeat', scheduler)
  return due and job == 'repeat:' .. scheduler .. ':' .. due
end

--- Jobs that are their own ancestors, as attaching can make them, are looked at once.
local looked_at, removed = {}, {}

local function is_locked(key)
  if call('EXISTS', key .. ':lock') == 1 then
    return true
  end
  if with_children == '1' and not looked_at[key] then
    looked_at[key] = true
    for _, child in ipairs(call('SMEMBERS', key .. ':dependencies')) do
      if is_locked(child) then
        return true
      end
    end
  end
  return false
end

local function children_of(key)
  local groups = {
    call('HKEYS', key .. ':processed'), call('HKEYS', key .. ':failed'),
    call('ZRANGE', key .. ':unsuccessful', 0, -1), call('SMEMBERS', key .. ':dependencies'),
  }
  local children = {}
  for _, group in ipairs(groups) do
    for _, child in ipairs(group) do
      children[#children + 1] = child
    end
  end
  return children
end

local function remove(queue, job, parent_key)
  local key = queue .. job
  if removed[key] then
    return
  end
  removed[key] = true
  detach_from_parent(queue, key, false, parent_key)
  if with_children == '1' then
    for _, child in ipairs(children_of(key)) do
      local child_queue, child_id = split_key(child)
      remove(child_queue, child_id, key)
    end
  end
  local state = leave_any_state(queue, job)
  forget_deduplication(queue, job, call('HGET', key, 'deid'))
  if delete_job_keys(key) > 0 then
    emit_trimmed(queue, 'removed', 'jobId', job, 'prev', state)
  end
end

if is_next_iteration(base, id) then
  return -8
end
if is_locked(base .. id) then
  return 0
end
remove(base, id)
flush_pushes()
return 1
