--- Remove children of a job that have not been run: neither those that are being run nor those that failed.
--- @args    id
--- @returns 1 removed  2 too much for one step, nothing was done
--- @include "trees"

local call = redis.call

local function may_go(child)
  local child_base, child_id = split_key(child)
  return call('EXISTS', child .. ':lock') == 0 and not call('ZSCORE', child_base .. 'failed', child_id)
end

--- Further down too only children that are still pending.
local function pending_of(key, most)
  if most and call('SCARD', key .. ':dependencies') > most then
    return nil
  end
  local going = {}
  for _, child in ipairs(call('SMEMBERS', key .. ':dependencies')) do
    if may_go(child) then
      going[#going + 1] = child
    end
  end
  return going
end

local jobs = jobs_of_tree(base, id, pending_of)
if not jobs then
  return 2
end
-- The job itself stays.
table.remove(jobs, 1)
local states = leave_lists(jobs)
if not states then
  return 2
end
for _, child in ipairs(pending_of(base .. id)) do
  local child_base, child_id = split_key(child)
  remove_tree(child_base, child_id, base .. id, pending_of, states)
end
flush_pushes()
wake_where_slots_are_free()
return 1
