--- Job schedulers: when they run next, and the jobs they make.
--- @include "store_job"
--- @include "gate"

--- Ids of iterations end in whole milliseconds.
local function iteration_id(scheduler, at)
  return 'repeat:' .. scheduler .. ':' .. string.format('%.0f', at)
end

--- The first slot after now that is in phase with the offset.
local function next_slot(now, every, offset)
  local slot = math.floor(now / every) * every + offset
  return slot > now and slot or slot + every
end

--- When an interval runs next, and its offset. prev: when it ran last, or nil.
local function next_interval(prev, now, terms)
  local every, offset, at = terms.every, terms.offset or 0, nil
  if prev then
    at = prev + every
    at = at < now and next_slot(now, every, offset) or at
  elseif terms.start then
    at = math.max(terms.start, now)
  else
    at = offset > 0 and next_slot(now, every, offset) or now
  end
  return math.floor(at), math.floor(offset ~= 0 and offset or at - math.floor(at / every) * every)
end

--- Add the job of a scheduler for one of its times. made: { name, data, head, priority, lifo, deid }, where
--- head is the JSON of its options without what is only known here. Answers its delay.
local function add_iteration(scheduler, id, made, at, now)
  local delay = math.max(at - now, 0)
  redis.call('INCR', base .. 'id')
  local opts = made.head .. ',"delay":' .. string.format('%.0f', delay) .. ',"jobId":' .. cjson.encode(id)
    .. ',"timestamp":' .. string.format('%.0f', now) .. '}'
  local job = { made.name, made.data, opts, now, delay, made.priority, made.lifo }
  store_job(base, id, job, { rjk = scheduler, deid = made.deid })
  enqueue_job(base, id, job, gate_is_open(base))
  return delay
end
