--- The parents of children that complete together: their keys are written once for all children of a run.
--- @include "parents"

--- The children of a run by their parents.
local function children_by_parent(base, run, jobs)
  local families, by_key = {}, {}
  for i, finish in ipairs(run) do
    local key = jobs[i].parent_key
    local family = by_key[key]
    if key and not family then
      family = { key = key, children = {}, results = {} }
      by_key[key] = family
      families[#families + 1] = family
    end
    if family then
      local children, results = family.children, family.results
      children[#children + 1] = base .. finish[ID]
      results[#results + 1] = base .. finish[ID]
      results[#results + 1] = finish[VALUE]
      family.last = i
    end
  end
  return families
end

--- A parent that waits for no other child is let go when the last of the run is told of. All that is read and
--- written then is looked at now, so that what is damaged is found before anything is written.
local function look_at_release(family)
  local policy = decode_object(redis.call('HGET', family.children[#family.children], 'parent'))
  local parent_base, id = split_key(family.key, policy.id)
  redis.call('ZSCORE', parent_base .. 'waiting-children', id)
  redis.call('HGET', family.key, 'priority')
  redis.call('XLEN', parent_base .. 'events')
  gate_is_open(parent_base)
  family.releases, family.id = true, policy.id
end

--- Whether the parent waits for all of these children; and what is to be known to tell it of them.
local function waits_for_all(family)
  local key = family.key .. ':dependencies'
  for _, waits in ipairs(redis.call('SMISMEMBER', key, unpack(family.children))) do
    if waits == 0 then
      return false
    end
  end
  redis.call('HLEN', family.key .. ':processed')
  if redis.call('SCARD', key) == #family.children then
    look_at_release(family)
  end
  return true
end

--- The families of a run, whose function `tell` is to be called for each position of the run; nil if a parent
--- is out of the ordinary.
local function find_families(base, run, jobs, now)
  local last = {}
  for _, family in ipairs(children_by_parent(base, run, jobs)) do
    if not waits_for_all(family) then
      return nil
    end
    last[family.last] = family
  end
  local function tell(position)
    local family = last[position]
    if family then
      redis.call('SREM', family.key .. ':dependencies', unpack(family.children))
      redis.call('HSET', family.key .. ':processed', unpack(family.results))
      if family.releases then
        release_parent(family.key, family.id, now)
      end
    end
  end
  return { tell = tell }
end
