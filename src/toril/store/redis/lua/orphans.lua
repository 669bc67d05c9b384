--- Find, or delete, what is left of jobs that no state holds.
--- @args    ids most delete
--- @returns { how many ids were looked at, ids of the orphans }; fewer looks than ids: ask again

local call = redis.call
local SORTED = { 'completed', 'failed', 'delayed', 'prioritized', 'waiting-children' }
local LISTED = { 'active', 'wait', 'paused' }
-- The type of each key of a job. Other keys that happen to have such names are not ours to delete.
local KINDS = {
  [''] = 'hash', [':logs'] = 'list', [':dependencies'] = 'set', [':processed'] = 'hash', [':failed'] = 'hash',
  [':unsuccessful'] = 'zset', [':lock'] = 'string',
}
-- Looking through lists is what takes time: so many entries, and the call ends.
local MOST_ENTRIES = 30000

local entries, looked_through = 0, 0
for _, list in ipairs(LISTED) do
  entries = entries + call('LLEN', base .. list)
end

local function is_held(id)
  for _, state in ipairs(SORTED) do
    if call('ZSCORE', base .. state, id) then
      return true
    end
  end
  if call('SISMEMBER', base .. 'stalled', id) == 1 then
    return true
  end
  looked_through = looked_through + entries
  for _, list in ipairs(LISTED) do
    if call('LPOS', base .. list, id) then
      return true
    end
  end
  return false
end

local function keys_of(job_key)
  local kind = call('TYPE', job_key).ok
  local keys = {}
  if kind ~= 'hash' and kind ~= 'none' then
    return keys
  end
  for suffix, expected in pairs(KINDS) do
    if call('TYPE', job_key .. suffix).ok == expected then
      keys[#keys + 1] = job_key .. suffix
    end
  end
  return keys
end

local looked_at, orphans = 0, {}
for _, id in ipairs(cmsgpack.unpack(ids)) do
  if #orphans == tonumber(most) or looked_through > MOST_ENTRIES then
    break
  end
  looked_at = looked_at + 1
  local keys = is_held(id) and {} or keys_of(base .. id)
  if #keys > 0 then
    orphans[#orphans + 1] = id
    if delete == '1' then
      call('DEL', unpack(keys))
    end
  end
end
return { looked_at, orphans }
