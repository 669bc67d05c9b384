--- A run: settlements of one kind that are carried out together, as one after the other would be. What their
--- jobs share is read and written once. Nothing is written before it is known that none is out of the ordinary.

-- Of every settlement of a job that is held.
local ID, TOKEN = 2, 3
-- The settled jobs are mostly the oldest ones of active; so many more are looked through for stragglers.
local STRAGGLERS = 16

--- All locks must be held with the tokens that came with the jobs.
local function locks_are_held(locks, run)
  local held = redis.call('MGET', unpack(locks))
  for i, settlement in ipairs(run) do
    if held[i] ~= settlement[TOKEN] then
      return false
    end
  end
  return true
end

--- The end of active without the jobs of the run; nil if some are not there.
local function survivors_of_active(tail, run)
  local ours, found = {}, 0
  for _, settlement in ipairs(run) do
    ours[settlement[ID]] = true
  end
  local survivors = {}
  -- From the end, because of an id that is there twice the one that was taken first leaves, as it does elsewhere.
  for at = #tail, 1, -1 do
    local id = tail[at]
    if ours[id] then
      ours[id] = nil
      found = found + 1
    else
      table.insert(survivors, 1, id)
    end
  end
  return found == #run and survivors or nil
end

--- What is needed to let go of the jobs of a run; nil if one of them is not held or not active.
local function held_run(base, run)
  local locks, ids = {}, {}
  for i, settlement in ipairs(run) do
    ids[i] = settlement[ID]
    locks[i] = base .. ids[i] .. ':lock'
  end
  if not locks_are_held(locks, run) then
    return nil
  end
  local tail = redis.call('LRANGE', base .. 'active', -(#run + STRAGGLERS), -1)
  local survivors = survivors_of_active(tail, run)
  return survivors and { ids = ids, locks = locks, length = #tail, survivors = survivors }
end

--- Unlock the jobs of a run and take them out of active.
local function let_go(base, held)
  redis.call('DEL', unpack(held.locks))
  redis.call('SREM', base .. 'stalled', unpack(held.ids))
  redis.call('LTRIM', base .. 'active', 0, -(held.length + 1))
  if #held.survivors > 0 then
    redis.call('RPUSH', base .. 'active', unpack(held.survivors))
  end
end
