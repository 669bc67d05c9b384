--- Finishing many plain jobs at once: completed or failed, kept for good or not at all, without deduplication,
--- without children, and without a parent if they failed. The state and the events are those of `finish_job`
--- for one after the other, at a third of the calls.
--- @include "finish"
--- @include "job_keys"
--- @include "pushes"
--- @include "run"

local function is_plain(finish)
  local keep = finish[KEEP]
  return keep[1] <= 0 and not keep[2] and finish[TOKEN] ~= '0' and (finish[TARGET] == 'failed' or not finish[FIELDS])
end

--- Whether one of them has children that are not done, or failed, so that it can't be completed.
local function has_children(base, run)
  local keys = {}
  for i, finish in ipairs(run) do
    local job_key = base .. finish[ID]
    keys[2 * i - 1] = job_key .. ':dependencies'
    keys[2 * i] = job_key .. ':unsuccessful'
  end
  return redis.call('EXISTS', unpack(keys)) > 0
end

--- Of each job the attempts made, the key of its parent, and whether it is deferred. Answers nil if a job needs
--- more than a plain finish, and whether there are parents.
local function read_jobs(base, run, failed)
  local jobs, parents = {}, false
  for i, finish in ipairs(run) do
    local job = redis.call('HMGET', base .. finish[ID], 'atm', 'ats', 'deid', 'parentKey', 'defa')
    local parent_key = job[4] and job[4] ~= '' and job[4]
    if not job[2] or job[3] or (failed and parent_key) then
      return nil
    end
    jobs[i] = { made = (tonumber(job[1]) or 0) + 1, parent_key = parent_key, deferred = job[5] }
    parents = parents or parent_key
  end
  return jobs, parents
end

local function write_failure(base, finish, job, now)
  local values = finish[FIELDS] or {}
  for _, value in ipairs({ 'atm', job.made, 'failedReason', finish[VALUE], 'finishedOn', now }) do
    values[#values + 1] = value
  end
  redis.call('HSET', base .. finish[ID], unpack(values))
  if job.deferred then
    redis.call('HDEL', base .. finish[ID], 'defa')
  end
end

local function write_result(base, finish, job, now)
  if finish[KEEP][1] == 0 then
    delete_job_keys(base .. finish[ID])
  elseif finish[TARGET] == 'failed' then
    write_failure(base, finish, job, now)
  else
    redis.call('HSET', base .. finish[ID], 'atm', job.made, 'returnvalue', finish[VALUE], 'finishedOn', now)
  end
end

--- families: those whose children these are, or nothing.
local function write_results(base, run, jobs, families, now)
  local scores = {}
  for i, finish in ipairs(run) do
    write_result(base, finish, jobs[i], now)
    if finish[KEEP][1] ~= 0 then
      scores[#scores + 1] = now
      scores[#scores + 1] = finish[ID]
    end
    if i == #run then
      trim_events(base)
    end
    if families then
      families.tell(i)
    end
    tell_finished(base, finish, jobs[i].made, 'active')
  end
  call_with_many('ZADD', base .. run[1][TARGET], scores)
end

--- Finish a run of plain jobs of one target. Answers false, with nothing written, if one of them is not plain
--- after all. find_families: see lib/family_run; called if there are parents.
local function finish_run(base, run, now, find_families)
  local target, points = run[1][TARGET], run[1][POINTS]
  if target == 'completed' and has_children(base, run) then
    return false
  end
  local held = held_run(base, run)
  local jobs, parents, families
  if held then
    jobs, parents = read_jobs(base, run, target == 'failed')
  end
  if parents then
    families = find_families(base, run, jobs, now)
  end
  if not jobs or (parents and not families) then
    return false
  end
  let_go(base, held)
  write_results(base, run, jobs, families, now)
  if points then
    count_finished(base, target, #run, points, now)
  end
  return true
end
