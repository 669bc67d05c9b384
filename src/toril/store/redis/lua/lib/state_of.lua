--- Where a job is.

-- Entries of a list to look at, where a job further back may be taken to be there.
local MOST_LISTED = 10000

--- Lists are looked through from the end that is served next, and no further than so many entries.
local function is_listed(key, id, most)
  if redis.call('LPOS', key, id, 'RANK', -1, 'MAXLEN', most) then
    return true
  end
  return most > 0 and redis.call('LLEN', key) > most
end

--- The state of a job, or `unknown`. most: entries of a list to look at, 0 for all; a job that may be further
--- back counts as listed.
local function state_of(base, id, most)
  for _, state in ipairs({ 'completed', 'failed', 'delayed', 'prioritized' }) do
    if redis.call('ZSCORE', base .. state, id) then
      return state
    end
  end
  if is_listed(base .. 'active', id, most) then
    return 'active'
  end
  if is_listed(base .. 'wait', id, most) or is_listed(base .. 'paused', id, most) then
    return 'waiting'
  end
  return redis.call('ZSCORE', base .. 'waiting-children', id) and 'waiting-children' or 'unknown'
end
