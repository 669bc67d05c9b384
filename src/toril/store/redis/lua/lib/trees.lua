--- Removing jobs together with jobs below them.
--- @include "removal"

--- Jobs that are their own ancestors, as attaching can make them, are removed once.
local removed = {}

--- Remove a job and those children of it that `children_of` names, children first.
local function remove_tree(base, id, parent_key, children_of)
  local key = base .. id
  if removed[key] then
    return
  end
  removed[key] = true
  detach_from_parent(base, key, false, parent_key)
  for _, child in ipairs(children_of(key)) do
    local child_base, child_id = split_key(child)
    remove_tree(child_base, child_id, key, children_of)
  end
  local state = leave_any_state(base, id)
  forget_deduplication(base, id, redis.call('HGET', key, 'deid'))
  if delete_job_keys(key) > 0 then
    emit_trimmed(base, 'removed', 'jobId', id, 'prev', state)
  end
end
