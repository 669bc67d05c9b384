--- Remove a part of a paused queue: at most so many jobs, and when none is left, the queue's own keys.
--- @args    most force everything
--- @returns { how many were removed, how many are left, done }, or the number of the refusal
--- @errors  -1 the queue is not paused  -2 jobs are active
--- @include "sweeping"

local call = redis.call
local LISTS = { active = true, wait = true, paused = true }
local STATES = { 'active', 'delayed', 'repeat', 'completed', 'wait', 'paused', 'prioritized', 'failed' }
-- What BullMQ forgets.
if everything == '1' then
  STATES[#STATES + 1] = 'waiting-children'
end

if call('HEXISTS', base .. 'meta', 'paused') == 0 then
  return -1
end
if force ~= '1' and call('LLEN', base .. 'active') > 0 then
  return -2
end

local function take_some(state, count)
  local key = base .. state
  if LISTS[state] then
    return call('LPOP', key, count) or {}
  end
  local ids = call('ZRANGE', key, 0, count - 1)
  call_with_many('ZREM', key, ids)
  return ids
end

local function remove_one(state, id)
  if state == 'repeat' then
    call('DEL', base .. 'repeat:' .. id)
    return
  end
  if state == 'active' then
    call('DEL', base .. id .. ':lock')
  end
  sweep_job(base, id, read_before_removal(base, id, {}))
end

local function remove_own_keys()
  for _, name in ipairs({ 'events', 'delay', 'stalled-check', 'stalled', 'id', 'pc', 'marker', 'meta',
    'metrics:completed', 'metrics:completed:data', 'metrics:failed', 'metrics:failed:data' }) do
    call('UNLINK', base .. name)
  end
  if everything == '1' then
    call('UNLINK', base .. 'limiter')
  end
end

local removed, remaining = 0, 0
for _, state in ipairs(STATES) do
  local budget = most - removed
  local ids = budget > 0 and take_some(state, budget) or {}
  for _, id in ipairs(ids) do
    remove_one(state, id)
  end
  removed = removed + #ids
  remaining = remaining + call(LISTS[state] and 'LLEN' or 'ZCARD', base .. state)
end
flush_pushes()
local done = removed < tonumber(most)
if done then
  remove_own_keys()
end
return { removed, remaining, done and 1 or 0 }
