--- Taking many jobs of a tree out of the lists of their queues: few looks through a list, and not one for each job.
--- @include "pushes"

-- Entries of lists that one call looks through, unless the first job alone takes more: below a millisecond.
local MOST_LOOKED_AT = 30000
-- Jobs of a tree were added together and stand close to each other: so far around one, others are looked for.
local NEIGHBOURS = 300
local LISTS = { 'active', 'paused', 'wait' }
local SORTED = { 'completed', 'waiting-children', 'delayed', 'failed', 'prioritized' }
-- What takes the place of a job until all that go are known.
local GONE = 'toril:gone'

local function is_sorted(job)
  for _, state in ipairs(SORTED) do
    if redis.call('ZSCORE', job.base .. state, job.id) then
      return true
    end
  end
  return false
end

--- Note each job of `wanted` that stands near this place.
local function note_neighbours(base, state, place, wanted, found)
  local first = math.max(place - NEIGHBOURS, 0)
  for i, id in ipairs(redis.call('LRANGE', base .. state, first, place + NEIGHBOURS)) do
    local key = base .. id
    if wanted[key] and not found[key] then
      found[key] = { state = state, place = first + i - 1 }
    end
  end
end

--- Children that are done are often gone, and no list is looked through for them. Of a job that was asked for, or
--- is pending, a place in a list may be all that is left.
local function may_be_listed(job)
  if #job.parents == 0 or redis.call('EXISTS', job.key) == 1 then
    return true
  end
  for _, parent_key in ipairs(job.parents) do
    if redis.call('SISMEMBER', parent_key .. ':dependencies', job.key) == 1 then
      return true
    end
  end
  return false
end

--- Look for a job in the lists of its queue; answers how many entries were looked at.
local function look_for(job, wanted, found)
  local looked_at = 0
  found[job.key] = { state = 'unknown' }
  for _, state in ipairs(may_be_listed(job) and LISTS or {}) do
    local place = redis.call('LPOS', job.base .. state, job.id)
    looked_at = looked_at + (place or redis.call('LLEN', job.base .. state))
    if place then
      found[job.key] = nil
      note_neighbours(job.base, state, place, wanted, found)
      break
    end
  end
  return looked_at
end

--- Where jobs stand that no sorted set holds, and of how many, from the first on, that is known now. A job is
--- { base, id, key, keys of parents }; the one that was asked for has none.
local function find_listed(jobs)
  local wanted, found, left = {}, {}, MOST_LOOKED_AT
  for _, job in ipairs(jobs) do
    wanted[job.key] = true
  end
  for i, job in ipairs(jobs) do
    if not found[job.key] and not is_sorted(job) then
      if left <= 0 then
        return found, i - 1
      end
      left = left - look_for(job, wanted, found)
    end
  end
  return found, #jobs
end

--- Take the first `count` of these jobs out of the lists that they were found in; answers their states by key.
local function take_listed(jobs, count, found)
  local states, taken = {}, {}
  for i = 1, count do
    local job = jobs[i]
    local at = found[job.key]
    if at and not states[job.key] then
      states[job.key] = at.state
      if at.place then
        local list = job.base .. at.state
        redis.call('LSET', list, at.place, GONE)
        taken[list] = (taken[list] or 0) + 1
      end
    end
  end
  for list, removed in pairs(taken) do
    redis.call('LREM', list, removed, GONE)
  end
  return states
end
