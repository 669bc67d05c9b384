--- Many jobs that wait again at once after an attempt that failed: what `retry` does for one after the other.
--- @include "run"
--- @include "take_jobs"

local SIDE, RETRY_FIELDS = 4, 5

--- Priorities and attempts of the jobs; nil if one is no job.
local function read_retried(base, run)
  local priorities, attempts = {}, {}
  for i, settlement in ipairs(run) do
    local job = redis.call('HMGET', base .. settlement[ID], 'ats', 'priority', 'atm')
    if not job[1] then
      return nil
    end
    -- A counter that is no number starts anew.
    priorities[i], attempts[i] = tonumber(job[2]), math.floor(tonumber(job[3]) or 0) + 1
  end
  return priorities, attempts
end

--- Retry a run. Answers false, with nothing written, if a job can't be retried.
local function retry_run(base, run, now)
  local held = held_run(base, run)
  local priorities, attempts
  if held then
    priorities, attempts = read_retried(base, run)
  end
  if not priorities then
    return false
  end
  flush_pushes()
  let_go(base, held)
  local open, due_left = gate_is_open(base), true
  for i, settlement in ipairs(run) do
    -- The due jobs come first.
    due_left = due_left and promote_due(base, now, open)
    local id, values = settlement[ID], settlement[RETRY_FIELDS] or {}
    values[#values + 1] = 'atm'
    values[#values + 1] = attempts[i]
    redis.call('HSET', base .. id, unpack(values))
    push_ready(base, id, priorities[i], settlement[SIDE], open)
    local tell = i == #run and emit_trimmed or emit
    tell(base, 'waiting', 'jobId', id, 'prev', 'active')
  end
  return true
end
