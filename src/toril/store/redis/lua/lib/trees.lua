--- Removing jobs together with jobs below them.
--- @include "removal"
--- @include "listed"
--- @include "wake"

-- So many jobs are removed in one step; larger trees go in several (see `remove_branches`).
local MOST_AT_ONCE = 100

--- Jobs that are their own ancestors, as attaching can make them, are removed once.
local removed = {}

--- The jobs of a tree, or nil if they are too many. `children_of` answers nil if a job has more than it may have.
local function jobs_of_tree(base, id, children_of)
  local jobs, known = { { base = base, id = id, key = base .. id, parents = {} } }, { [base .. id] = true }
  local looked_at = 0
  while looked_at < #jobs do
    looked_at = looked_at + 1
    local parent_key = jobs[looked_at].key
    local children = children_of(parent_key, MOST_AT_ONCE)
    if not children then
      return nil
    end
    for _, child in ipairs(children) do
      if not known[child] then
        known[child] = true
        local child_base, child_id = split_key(child)
        jobs[#jobs + 1] = { base = child_base, id = child_id, key = child, parents = { parent_key } }
      end
    end
    if #jobs > MOST_AT_ONCE then
      return nil
    end
  end
  return jobs
end

--- Take all of these jobs out of their lists; answers their states by key, nil if it takes too long for one step.
local function leave_lists(jobs)
  local found, count = find_listed(jobs)
  return count == #jobs and take_listed(jobs, count, found) or nil
end

-- Queues of which an active job was removed, by their bases.
local freed = {}

--- Active jobs whose worker is gone kept others from being started.
local function wake_where_slots_are_free()
  for base in pairs(freed) do
    wake_if_ready(base)
  end
end

--- Delete a job of a tree that is untied from its parent. state: the list it was in, if it was taken from there.
local function delete_from_tree(base, id, state)
  local key = base .. id
  state = leave_any_state(base, id, state)
  freed[base] = freed[base] or (state == 'active' or nil)
  forget_deduplication(base, id, redis.call('HGET', key, 'deid'))
  if delete_job_keys(key) > 0 then
    emit_trimmed(base, 'removed', 'jobId', id, 'prev', state)
  end
end

--- Remove a job and those children of it that `children_of` names, children first.
local function remove_tree(base, id, parent_key, children_of, states)
  local key = base .. id
  if removed[key] then
    return
  end
  removed[key] = true
  detach_from_parent(base, key, false, parent_key)
  for _, child in ipairs(children_of(key)) do
    local child_base, child_id = split_key(child)
    remove_tree(child_base, child_id, key, children_of, states)
  end
  delete_from_tree(base, id, states[key])
end
