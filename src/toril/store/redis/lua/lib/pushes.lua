--- Pushes into wait, prioritized and delayed, and children into the sets of their parents. They are kept back
--- and written by `flush_pushes`, each shared key once with many members; whoever reads one of these keys
--- flushes first. Left and right pushes of a list commute, so what is left behind is what one push after the
--- other would leave.
--- @include "events"

-- A delayed score leaves 12 bits for the order of jobs that are due in the same millisecond.
local SLOTS_PER_MS = 4096
-- A score of prioritized leaves 32 bits for the order of jobs of the same priority.
local PRIORITY_STEP = 4294967296
-- Above this a double can't tell neighbours apart.
local MOST_EXACT = 9007199254740992
-- Lua's stack bounds how many arguments one call may unpack.
local MOST_ARGUMENTS = 4000

local pending = {}
local pending_bases = {}
-- Of sets, by their keys: the children of a job keep their order, whatever queues they are in.
local pending_members = {}

local function pushes_of(base)
  local pushes = pending[base]
  if not pushes then
    pushes = { left = {}, right = {}, ranked = {}, ranked_now = {}, due = {}, last_due = {} }
    pending[base] = pushes
    pending_bases[#pending_bases + 1] = base
  end
  return pushes
end

local function call_with_many(command, key, values)
  for first = 1, #values, MOST_ARGUMENTS do
    redis.call(command, key, unpack(values, first, math.min(first + MOST_ARGUMENTS - 1, #values)))
  end
end

local function mark_ready(base)
  redis.call('ZADD', base .. 'marker', 0, '0')
end

--- Tell waiting workers when the next delayed job is due.
local function mark_next_due(base)
  local first = redis.call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', base .. 'marker', tonumber(first[2]) / SLOTS_PER_MS, '1')
  end
end

local function flush_ranked(base, ranked)
  local counter = redis.call('INCRBY', base .. 'pc', #ranked / 2) - #ranked / 2
  local members = {}
  for i = 1, #ranked, 2 do
    counter = counter + 1
    members[i] = ranked[i] * PRIORITY_STEP + counter % PRIORITY_STEP
    members[i + 1] = ranked[i + 1]
  end
  call_with_many('ZADD', base .. 'prioritized', members)
end

local function flush_base(base, pushes)
  call_with_many('LPUSH', base .. 'wait', pushes.left)
  call_with_many('RPUSH', base .. 'wait', pushes.right)
  if #pushes.ranked > 0 then
    flush_ranked(base, pushes.ranked)
  end
  call_with_many('ZADD', base .. 'prioritized', pushes.ranked_now)
  call_with_many('ZADD', base .. 'delayed', pushes.due)
  if pushes.ready then
    mark_ready(base)
  end
  if pushes.due_told then
    mark_next_due(base)
  end
end

local function flush_members()
  if not next(pending_members) then
    return
  end
  local sets = pending_members
  pending_members = {}
  for key, members in pairs(sets) do
    call_with_many('SADD', key, members)
  end
end

local function flush_pushes()
  flush_members()
  local bases = pending_bases
  if #bases == 0 then
    return
  end
  local pushes = pending
  pending, pending_bases = {}, {}
  for _, base in ipairs(bases) do
    flush_base(base, pushes[base])
  end
end

--- side: 'L' is the end of the line, 'R' its front. open: the gate, as the operation saw it.
local function push_wait(base, id, side, open)
  local pushes = pushes_of(base)
  local line = side == 'R' and pushes.right or pushes.left
  line[#line + 1] = id
  pushes.ready = pushes.ready or open
end

local function push_prioritized(base, id, priority, open)
  local pushes = pushes_of(base)
  local ranked = pushes.ranked
  ranked[#ranked + 1] = priority
  ranked[#ranked + 1] = id
  pushes.ready = pushes.ready or open
end

--- In front of all jobs of its priority; writes no marker.
local function push_front_of_priority(base, id, priority)
  local members = pushes_of(base).ranked_now
  members[#members + 1] = priority * PRIORITY_STEP
  members[#members + 1] = id
end

--- Into a set.
local function push_member(key, member)
  pending_members[key] = pending_members[key] or {}
  table.insert(pending_members[key], member)
end

--- Into wait or prioritized, as the priority says.
local function push_ready(base, id, priority, side, open)
  if priority and priority ~= 0 then
    push_prioritized(base, id, priority, open)
  else
    push_wait(base, id, side, open)
  end
end

--- The score of a job due at `due`: behind all others of that millisecond.
local function delayed_score(base, due)
  local lowest, highest = due * SLOTS_PER_MS, (due + 1) * SLOTS_PER_MS - 1
  if highest >= MOST_EXACT then
    -- From September 2039 on scores are rounded, and those of one millisecond touch those of the next.
    flush_pushes()
  end
  local last_due = pushes_of(base).last_due
  local last = last_due[due]
  if not last then
    local found = redis.call('ZREVRANGEBYSCORE', base .. 'delayed', highest, lowest, 'WITHSCORES', 'LIMIT', 0, 1)
    last = tonumber(found[2])
  end
  local score = last and math.min(last + 1, highest) or lowest
  last_due[due] = score
  return score
end

local function due_time(timestamp, delay)
  return delay > 0 and timestamp + delay or timestamp
end

--- `quiet`: tell nobody when it is due; the caller does.
local function push_delayed(base, id, due, quiet)
  local score = delayed_score(base, due)
  local pushes = pushes_of(base)
  pushes.due[#pushes.due + 1] = score
  pushes.due[#pushes.due + 1] = id
  pushes.due_told = pushes.due_told or not quiet
end
