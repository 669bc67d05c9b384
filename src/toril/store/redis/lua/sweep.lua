--- Remove a part of a state's jobs: those that are old enough and may be removed at all. The caller comes back
--- with what it was answered until the state has been walked through.
--- @args    walk
--- @returns { ids, done, kept, anchor, left }
--- walk: { state, most, left, kept, anchor, before, tell, removed }. `kept` jobs were looked at and left, the
--- last of them is `anchor`; `left` are still to be looked at, all if it is missing. Without `before` age
--- counts for nothing. `tell`: say how many were removed, `removed` ones before this call included.
--- @include "sweeping"

local call = redis.call
local plan = cmsgpack.unpack(walk)
local state = plan.state
local key = base .. state
local LISTS = { wait = true, paused = true, active = true }
-- Where a job's age is read, first one that is there; for all other states it is the score.
local AGES = {
  wait = { 'finishedOn', 'processedOn', 'timestamp' }, paused = { 'finishedOn', 'processedOn', 'timestamp' },
  active = { 'finishedOn', 'processedOn', 'timestamp' }, delayed = { 'processedOn', 'timestamp' },
  prioritized = { 'timestamp' },
}
-- What takes the place of a listed job until all that go are known.
local GONE = 'toril:gone'

local ages, is_list = AGES[state], LISTS[state]
local by_score = not ages

local function count_all()
  if is_list then
    return call('LLEN', key)
  end
  return by_score and call('ZCOUNT', key, 0, plan.before or '+inf') or call('ZCARD', key)
end

--- Others add and take while we walk: where the jobs that were left end now. From the start, if that is lost.
local function find_anchor()
  if not is_list then
    local rank = call('ZRANK', key, plan.anchor)
    return rank and rank + 1 or 0
  end
  if call('LINDEX', key, -plan.kept) == plan.anchor then
    return plan.kept
  end
  local place = call('LPOS', key, plan.anchor, 'RANK', -1)
  return place and call('LLEN', key) - place or 0
end

local function next_ids(kept, most)
  if is_list then
    return call('LRANGE', key, -(kept + most), -(kept + 1))
  end
  if by_score then
    return call('ZRANGEBYSCORE', key, 0, plan.before or '+inf', 'LIMIT', 0, most)
  end
  return call('ZRANGE', key, kept, kept + most - 1)
end

local function is_young(fields)
  for i = 3, 2 + #ages do
    if fields[i] then
      return (tonumber(fields[i]) or 0) > plan.before
    end
  end
  return false
end

--- Whether a job has to stay; its fields are read where that depends on them.
local function must_stay(id, fields)
  if by_score then
    return false
  end
  if is_pending_iteration(base, id) or (state == 'active' and call('EXISTS', base .. id .. ':lock') == 1) then
    return true
  end
  return plan.before and fields and is_young(fields)
end

local function take_from_list(ids, places, kept)
  if #places == #ids and kept == 0 then
    call('LTRIM', key, 0, -(#ids + 1))
    return
  end
  for _, place in ipairs(places) do
    call('LSET', key, place - 1 - #ids - kept, GONE)
  end
  if #places > 0 then
    call('LREM', key, -#places, GONE)
  end
end

local kept = plan.kept > 0 and find_anchor() or 0
local left = plan.left or count_all()
if kept == 0 then
  left = left + plan.kept
end
local most = math.min(plan.most, left)
local ids = most > 0 and next_ids(kept, most) or {}
local removed, places, last_kept = {}, {}, nil
for place, id in ipairs(ids) do
  local fields = read_before_removal(base, id, ages or {})
  if must_stay(id, fields) then
    -- A list is walked from its right end.
    last_kept = is_list and last_kept or id
  else
    sweep_job(base, id, fields)
    removed[#removed + 1], places[#places + 1] = id, place
  end
end
if is_list then
  take_from_list(ids, places, kept)
else
  call_with_many('ZREM', key, removed)
end
left = left - #ids
local done = #ids < most or left <= 0
if done and plan.tell then
  emit(base, 'cleaned', 'count', plan.removed + #removed)
end
flush_pushes()
return { removed, done and 1 or 0, kept + #ids - #removed, last_kept or plan.anchor, left }
