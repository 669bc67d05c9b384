--- A finish as it is handed in, and what every finish does: trim the events, count for the metrics.
--- @include "events"
--- @include "run"

-- A finish is an array: { 'finish', id, token, target, value, fields, attempts, keep, points }.
-- keep: { count, age in seconds or false, limit or false }; points: how many metrics to keep, or false.
local TARGET, VALUE, FIELDS, ATTEMPTS, KEEP, POINTS = 4, 5, 6, 7, 8, 9

-- Points that one call pushes.
local POINTS_A_CALL = 4000

--- Minutes in which nothing finished: after a long rest there may be very many.
local function push_zeros(key, count)
  local zeros = {}
  for i = 1, math.min(count, POINTS_A_CALL) do
    zeros[i] = '0'
  end
  for first = 1, count, POINTS_A_CALL do
    redis.call('LPUSH', key, unpack(zeros, 1, math.min(POINTS_A_CALL, count - first + 1)))
  end
end

local function push_points(key, delta, minutes, points)
  redis.call('LPUSH', key, delta)
  push_zeros(key, minutes - 1)
  redis.call('LTRIM', key, 0, points - 1)
end

--- Count finished jobs; the first one of a later minute writes the point of the minute before.
local function count_finished(base, target, finished, points, now)
  local key = base .. 'metrics:' .. target
  local before = redis.call('HINCRBY', key, 'count', finished) - finished
  local last = redis.call('HMGET', key, 'prevTS', 'prevCount')
  if not last[1] then
    redis.call('HSET', key, 'prevTS', now, 'prevCount', 0)
    return
  end
  local minutes = math.min(math.floor(now / 60000) - math.floor(tonumber(last[1]) / 60000), points)
  if minutes > 0 then
    push_points(key .. ':data', before - (tonumber(last[2]) or 0), minutes, points)
    redis.call('HSET', key, 'prevCount', before, 'prevTS', now)
  end
end

--- Tell of a finish; `prev` is the state the job was in.
local function tell_finished(base, finish, made, prev)
  local id = finish[ID]
  if finish[TARGET] == 'completed' then
    emit(base, 'completed', 'jobId', id, 'returnvalue', finish[VALUE], 'prev', prev)
    return
  end
  emit(base, 'failed', 'jobId', id, 'failedReason', finish[VALUE], 'prev', prev)
  if made >= finish[ATTEMPTS] then
    emit(base, 'retries-exhausted', 'jobId', id, 'attemptsMade', made)
  end
end
