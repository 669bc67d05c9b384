--- Settle what running jobs came to, one after the other, then take new ones.
--- A settlement is an array; the first element says what it is:
---   finish  see lib/finish_job        retry  id token side fields
---   delay   id token delay_ms counts fields      wait  id token      children  id token child
--- @args    settlements claim now again
--- @returns answers, taken: answers is 0 when all went well, else a list with a number for each: 0, a
---          refusal (negative), the text of an error, for `wait` the ms of rate limit left, for `children`
---          1 if none is pending;
---          taken is what lib/take_jobs answers, or false when nothing was to be taken
--- @errors  -1 job missing  -2 lock missing  -3 not active  -4 pending children  -6 lock of another
---          -9 failed children
--- @include "finish_run"
--- @include "take_jobs"
--- @include "locks"

local list = cmsgpack.unpack(settlements)
local wanted = claim ~= '' and cmsgpack.unpack(claim) or nil
local time = tonumber(now)
local verbs, retries

--- What becomes of jobs that are not plainly completed. Making functions costs more than a plain finish
--- does, so these are made when the first such job comes.
local function verbs_for_all()
  if not verbs then
    --- @include "finish_job"
    --- @include "put_back"
    --- @include "family_run"
    verbs = { retry = retry, delay = delay, wait = wait, children = await_children }
    verbs.finish = function(settlement)
      return finish_job(base, settlement, time)
    end
    verbs.was_finished, verbs.find_families = was_finished, find_families
  end
  return verbs
end

local function find_families_of(...)
  return verbs_for_all().find_families(...)
end

--- The same for runs of jobs that wait again.
local function retries_for_all()
  if not retries then
    --- @include "retry_run"
    retries = retry_run
  end
  return retries
end

--- After a lost answer: has this settlement been carried out before? A job that waited again at once may
--- even have been taken again, by this very call.
local function was_settled(settlement)
  if settlement[1] == 'finish' then
    return verbs_for_all().was_finished(base, settlement, time)
  end
  local id = settlement[2]
  local lock = token_in(base .. id .. ':lock')
  if lock then
    return wanted ~= nil and lock == wanted.token
  end
  return not redis.call('LPOS', base .. 'active', id)
end

local function carry_out(settlement)
  local kind = settlement[1]
  if kind == 'finish' then
    return verbs_for_all().finish(settlement)
  end
  return verbs_for_all()[kind](base, time, unpack(settlement, 2))
end

--- Answers a number, or the text of an error that concerns this job alone (its fields are garbage, say), and
--- whether it was carried out before.
local function settle_one(settlement)
  if again == '1' and settlement[1] == 'children' and was_settled(settlement) then
    return 0, true
  end
  local ok, number = pcall(carry_out, settlement)
  if not ok then
    return type(number) == 'table' and number.err or tostring(number), false
  end
  if again == '1' and number < 0 and was_settled(settlement) then
    return 0, true
  end
  return number, false
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

--- Settle one; answers whether it is a finish that went well now.
local function settle_alone(settlement, tells)
  local number, before = settle_one(settlement)
  answer(number)
  local finished = settlement[1] == 'finish' and number == 0 and not before
  if finished and tells then
    tell_if_drained()
  end
  return finished
end

local function carry_out_run(run)
  if run[1][1] == 'retry' then
    return retries_for_all()(base, run, time)
  end
  return finish_run(base, run, time, find_families_of)
end

--- Settle a run; answers whether it ended with a finish that went well now.
local function settle_run(run, takes)
  local ok, done = false, false
  if again ~= '1' then
    -- An error comes before anything is written: one of the keys is no job.
    ok, done = pcall(carry_out_run, run)
  end
  if ok and done then
    for _ = 1, #run do
      answer(0)
    end
    local finished = run[1][1] == 'finish'
    if finished and not takes then
      tell_if_drained()
    end
    return finished
  end
  local finished
  for i, settlement in ipairs(run) do
    finished = settle_alone(settlement, not (takes and i == #run))
  end
  return finished
end

--- Settlements of the same kin can be carried out together; there is none for what goes alone.
local function kin_of(settlement)
  if settlement[1] == 'finish' then
    return is_plain(settlement) and settlement[TARGET] .. tostring(settlement[POINTS])
  end
  return settlement[1] == 'retry' and settlement[TOKEN] ~= '0' and 'retry'
end

--- The settlements from `first` on that go together, no job twice, and where they end.
local function next_run(first)
  local kin = kin_of(list[first])
  if not kin then
    return {}, first
  end
  local run, seen = {}, {}
  local settlement = list[first]
  while settlement and not seen[settlement[ID]] and kin_of(settlement) == kin do
    seen[settlement[ID]] = true
    run[#run + 1] = settlement
    first = first + 1
    settlement = list[first]
  end
  return run, first
end

--- Settle all; answers whether the last one is a finish whose caller wants jobs: its `drained` is due
--- only when there is nothing to take.
local function settle_all()
  local i, finished_last = 1, false
  while i <= #list do
    local run
    run, i = next_run(i)
    if #run > 0 then
      finished_last = settle_run(run, wanted and i > #list)
    else
      local takes = wanted and i == #list
      if takes and list[i][1] == 'delay' then
        -- What was told before must not speak of this one.
        flush_pushes()
        list[i][7] = true
      end
      finished_last = settle_alone(list[i], not takes)
      i = i + 1
    end
  end
  return finished_last
end

--- A delay that comes last tells when its job is due only when nothing is taken: a taken job makes its
--- worker come back soon enough.
local function delayed_last()
  local last = list[#list]
  return last and last[1] == 'delay' and answers[#list] == 0
end

local function take(finished_last)
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

local function may_take()
  local last = answers[#list]
  return wanted and not (wanted.after_success and last and (type(last) == 'string' or last < 0))
end

if wanted then
  wanted.now = time
end
local finished_last = settle_all()
local taken = may_take() and take(finished_last)
return { all_well and 0 or answers, taken }
