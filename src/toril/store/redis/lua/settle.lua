--- Settle what running jobs came to, one after the other, then take new ones.
--- A settlement is an array; the first element says what it is:
---   finish  see lib/finish_job        retry  id token side fields
---   delay   id token delay_ms counts fields      wait  id token      children  id token child
--- @args    settlements claim now again
--- @returns answers, taken: answers is 0 when all went well, else a list with a number for each: 0, a
---          refusal (negative), for `wait` the ms of rate limit left, for `children` 1 if none is pending;
---          taken is what lib/take_jobs answers, or false when nothing was to be taken
--- @errors  -1 job missing  -2 lock missing  -3 not active  -4 pending children  -6 lock of another
---          -9 failed children
--- @include "finish_run"
--- @include "take_jobs"

local list = cmsgpack.unpack(settlements)
local time = tonumber(now)
local verbs

--- What becomes of jobs that are not plainly completed. Making functions costs more than a plain finish
--- does, so these are made when the first such job comes.
local function verbs_for_all()
  if not verbs then
    --- @include "finish_job"
    --- @include "put_back"
    verbs = { retry = retry, delay = delay, wait = wait, children = await_children }
    verbs.finish = function(settlement)
      return finish_job(base, settlement, time)
    end
    verbs.was_finished = was_finished
  end
  return verbs
end

--- After a lost answer: has this settlement been carried out before?
local function was_settled(settlement)
  if settlement[1] == 'finish' then
    return verbs_for_all().was_finished(base, settlement, time)
  end
  return not redis.call('LPOS', base .. 'active', settlement[2])
end

local function settle_one(settlement)
  local kind, number = settlement[1], nil
  if kind == 'finish' then
    number = verbs_for_all().finish(settlement)
  else
    number = verbs_for_all()[kind](base, time, unpack(settlement, 2))
  end
  if again == '1' and number < 0 and was_settled(settlement) then
    return 0
  end
  return number
end

local answers, all_well = {}, true

local function answer(number)
  answers[#answers + 1] = number
  all_well = all_well and number == 0
end

--- `drained`: nothing is left, and the last finish found nothing to take either.
local function tell_if_drained()
  flush_pushes()
  if redis.call('EXISTS', base .. 'wait', base .. 'active', base .. 'prioritized') == 0 then
    emit(base, 'drained')
  end
end

local function settle_run(run, takes)
  if again ~= '1' and finish_run(base, run, time) then
    for _ = 1, #run do
      answer(0)
    end
    if not takes then
      tell_if_drained()
    end
    return true
  end
  local finished
  for i, finish in ipairs(run) do
    local number = settle_one(finish)
    answer(number)
    finished = number == 0
    if finished and not (takes and i == #run) then
      tell_if_drained()
    end
  end
  return finished
end

--- Settle all; answers whether the last one is a finish whose caller wants jobs: its `drained` is due
--- only when there is nothing to take.
local function settle_all(takes)
  local i, finished_last = 1, false
  while i <= #list do
    local run = {}
    local seen = {}
    while list[i] and list[i][1] == 'finish' and is_plain(list[i]) and not seen[list[i][FINISH_ID]] do
      seen[list[i][FINISH_ID]] = true
      run[#run + 1] = list[i]
      i = i + 1
    end
    if #run > 0 then
      finished_last = settle_run(run, takes and i > #list)
    else
      if takes and i == #list and list[i][1] == 'delay' then
        list[i][7] = true
      end
      local number = settle_one(list[i])
      answer(number)
      finished_last = list[i][1] == 'finish' and number == 0
      if finished_last and not (takes and i == #list) then
        tell_if_drained()
      end
      i = i + 1
    end
  end
  return finished_last
end

--- A delay that comes last tells when its job is due only when nothing is taken: a taken job makes its
--- worker come back soon enough.
local function delayed_last()
  local last = list[#list]
  return last and last[1] == 'delay' and last[7]
end

local function take(wanted, finished_last)
  local adopted = again == '1' and adopt_jobs(base, wanted) or {}
  wanted.count = math.max(wanted.count - #adopted, 0)
  local taken = take_jobs(base, wanted)
  if finished_last and #taken[1] == 0 and taken[2] == 0 and taken[3] == 0 and taken[4] == 0 then
    tell_if_drained()
  end
  if delayed_last() and #taken[1] == 0 then
    mark_next_due(base)
  end
  for _, job in ipairs(adopted) do
    table.insert(taken[1], job)
  end
  return taken
end

local wanted = claim ~= '' and cmsgpack.unpack(claim) or nil
if wanted then
  wanted.now = time
end
local finished_last = settle_all(wanted ~= nil)
local taken = wanted and take(wanted, finished_last) or false
flush_pushes()
return { all_well and 0 or answers, taken }
