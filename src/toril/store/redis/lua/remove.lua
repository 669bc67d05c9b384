--- Remove a job, and its children if asked to, unless a worker runs one of them.
--- @args    id with_children
--- @returns 1 removed (or no such job)  0 locked  2 too much for one step, nothing was done  -8 owned by a scheduler
--- @include "trees"
--- @include "next_iteration"

local call = redis.call

--- Jobs that are their own ancestors, as attaching can make them, are looked at once.
local looked_at = {}

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

local function count_children(key)
  return call('HLEN', key .. ':processed') + call('HLEN', key .. ':failed')
    + call('ZCARD', key .. ':unsuccessful') + call('SCARD', key .. ':dependencies')
end

--- Processed and failed children as well as pending ones.
local function children_of(key, most)
  local children = {}
  if with_children ~= '1' then
    return children
  end
  if most and count_children(key) > most then
    return nil
  end
  local groups = {
    call('HKEYS', key .. ':processed'), call('HKEYS', key .. ':failed'),
    call('ZRANGE', key .. ':unsuccessful', 0, -1), call('SMEMBERS', key .. ':dependencies'),
  }
  for _, group in ipairs(groups) do
    for _, child in ipairs(group) do
      children[#children + 1] = child
    end
  end
  return children
end

--- Some other key of the queue has the name that a job of this id would have: there is no such job.
local function is_no_job()
  local kind = call('TYPE', base .. id).ok
  if kind == 'none' then
    -- With what else belongs to a job, its metrics would go.
    return id == 'metrics'
  end
  local scheduler = string.match(id, '^repeat:(.*)$')
  return kind ~= 'hash' or call('HEXISTS', base .. id, 'name') == 0
    or (scheduler and call('ZSCORE', base .. 'repeat', scheduler))
end

if is_no_job() then
  return 1
end
if is_next_iteration(base, id) then
  return -8
end
local jobs = jobs_of_tree(base, id, children_of)
if not jobs then
  return call('EXISTS', base .. id .. ':lock') == 1 and 0 or 2
end
if is_locked(base .. id) then
  return 0
end
local states = {}
if #jobs > 1 then
  states = leave_lists(jobs)
end
if not states then
  return 2
end
remove_tree(base, id, nil, children_of, states)
flush_pushes()
wake_where_slots_are_free()
return 1
