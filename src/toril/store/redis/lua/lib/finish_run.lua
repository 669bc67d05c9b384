--- Finishing many plain jobs at once: completed, kept for good or not at all, without parent, children or
--- deduplication. The state and the events are those of `finish_job` for one after the other, at a third
--- of the calls: what the jobs share is read and written once.
--- @include "finish"
--- @include "job_keys"
--- @include "pushes"

-- The settled jobs are mostly the oldest ones of active; so many more are looked through for stragglers.
local STRAGGLERS = 16

local function is_plain(finish)
  local keep = finish[KEEP]
  return finish[TARGET] == 'completed' and not finish[FIELDS] and keep[1] <= 0 and not keep[2]
    and finish[TOKEN] ~= '0'
end

--- All locks must be held with the tokens that came with the jobs.
local function locks_are_held(locks, run)
  local held = redis.call('MGET', unpack(locks))
  for i, finish in ipairs(run) do
    if held[i] ~= finish[TOKEN] then
      return false
    end
  end
  return true
end

--- Attempts made before, by position; nil if a job needs more than a plain finish.
local function read_attempts(base, run)
  local made = {}
  for i, finish in ipairs(run) do
    local job = redis.call('HMGET', base .. finish[FINISH_ID], 'atm', 'ats', 'parentKey', 'deid')
    if not job[2] or job[3] or job[4] then
      return nil
    end
    made[i] = (tonumber(job[1]) or 0) + 1
  end
  return made
end

--- The end of active without the jobs of the run; nil if some are not there.
local function survivors_of_active(tail, run)
  local ours, found = {}, 0
  for _, finish in ipairs(run) do
    ours[finish[FINISH_ID]] = true
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

local function leave_active(base, tail, survivors)
  redis.call('LTRIM', base .. 'active', 0, -(#tail + 1))
  if #survivors > 0 then
    redis.call('RPUSH', base .. 'active', unpack(survivors))
  end
end

local function write_results(base, run, made, now)
  local scores = {}
  for i, finish in ipairs(run) do
    local id = finish[FINISH_ID]
    if finish[KEEP][1] == 0 then
      delete_job_keys(base .. id)
    else
      redis.call('HSET', base .. id, 'atm', made[i], 'returnvalue', finish[VALUE], 'finishedOn', now)
      scores[#scores + 1] = now
      scores[#scores + 1] = id
    end
    if i == #run then
      trim_events(base)
    end
    emit(base, 'completed', 'jobId', id, 'returnvalue', finish[VALUE], 'prev', 'active')
  end
  call_with_many('ZADD', base .. 'completed', scores)
end

--- Finish a run of plain jobs. Answers false, with nothing written, if one of them is not plain after all.
local function finish_run(base, run, now)
  local locks, ids, held_back = {}, {}, {}
  for i, finish in ipairs(run) do
    local job_key = base .. finish[FINISH_ID]
    ids[i] = finish[FINISH_ID]
    locks[i] = job_key .. ':lock'
    held_back[2 * i - 1] = job_key .. ':dependencies'
    held_back[2 * i] = job_key .. ':unsuccessful'
  end
  if not locks_are_held(locks, run) or redis.call('EXISTS', unpack(held_back)) > 0 then
    return false
  end
  local made = read_attempts(base, run)
  local tail = made and redis.call('LRANGE', base .. 'active', -(#run + STRAGGLERS), -1)
  local survivors = tail and survivors_of_active(tail, run)
  if not survivors then
    return false
  end
  redis.call('DEL', unpack(locks))
  redis.call('SREM', base .. 'stalled', unpack(ids))
  leave_active(base, tail, survivors)
  write_results(base, run, made, now)
  if run[1][POINTS] then
    count_finished(base, 'completed', #run, run[1][POINTS], now)
  end
  return true
end
