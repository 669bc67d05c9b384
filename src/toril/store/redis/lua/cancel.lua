--- Cancel a job: one that waits fails now, the worker of one that runs is told.
--- @args    id keep now
--- @returns 1 it has failed  2 its worker was told  3 it runs, and nobody can be told  4 it had finished before
--- @errors  -1 job missing  -3 in no state  -8 owned by a scheduler
--- @include "finish_job"
--- @include "locks"
--- @include "cancelled"
--- @include "next_iteration"

-- How long word of a cancelled job waits for its worker, in ms; renewing the lock tells, too.
local WORD_LASTS = 60000

local call = redis.call
local job_key = base .. id

--- Locks of toril's workers name who takes the word; those of others, and of jobs taken by hand, don't.
local function tell_worker(token)
  call('HSET', job_key, 'defa', CANCELLED)
  local owner = token and string.match(token, '^(toril%-[%x-]+):%d+$')
  if not owner then
    return 3
  end
  local key = base .. 'toril:cancel:' .. owner
  call('RPUSH', key, token .. ' ' .. id)
  call('PEXPIRE', key, WORD_LASTS)
  return 2
end

--- The state that a waiting job has left, or nil.
local function leave_line()
  for _, state in ipairs({ 'delayed', 'prioritized', 'waiting-children' }) do
    if call('ZREM', base .. state, id) == 1 then
      return state
    end
  end
  for _, state in ipairs({ 'wait', 'paused' }) do
    if leave_list(base .. state, id) then
      return state
    end
  end
end

if call('EXISTS', job_key) == 0 then
  return -1
end
local ties = read_ties(job_key)
if call('ZSCORE', base .. 'failed', id) or call('ZSCORE', base .. 'completed', id) then
  return 4
end
local token = token_in(job_key .. ':lock')
if token then
  return tell_worker(token)
end
if is_next_iteration(base, id) then
  return -8
end
local prev = leave_line()
if not prev then
  return call('LPOS', base .. 'active', id) and tell_worker() or -3
end
-- No attempt was made, so that none can be the last one.
local finish = { 'finish', id, '0', 'failed', CANCELLED, false, math.huge, cmsgpack.unpack(keep), false }
conclude(base, finish, ties, prev, 0, tonumber(now))
flush_pushes()
return 1
