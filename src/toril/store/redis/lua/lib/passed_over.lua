--- Jobs that others go before, however long they wait: those of all priorities but the one that is next.
--- @include "pushes"

-- So many priorities are looked at, the lowest ones; a queue of more has its middle ones wait longer.
local MOST_CLASSES = 32

--- Where the priorities that are passed over begin: all of them do while jobs without a priority wait.
local function first_passed_over(base)
  if redis.call('EXISTS', base .. 'wait') == 1 then
    return 0
  end
  local first = redis.call('ZRANGE', base .. 'prioritized', 0, 0, 'WITHSCORES')
  return first[2] and (math.floor(tonumber(first[2]) / PRIORITY_STEP) + 1) * PRIORITY_STEP
end

--- The oldest jobs of each priority from `lowest` on, as { order, id, score }; orders count all jobs.
local function oldest_of_each(key, lowest, most)
  local found, above = {}, '+inf'
  for _ = 1, MOST_CLASSES do
    local last = redis.call('ZREVRANGEBYSCORE', key, above, lowest, 'WITHSCORES', 'LIMIT', 0, 1)
    if not last[2] then
      break
    end
    local class = math.floor(tonumber(last[2]) / PRIORITY_STEP) * PRIORITY_STEP
    local jobs = redis.call('ZRANGEBYSCORE', key, class, last[2], 'WITHSCORES', 'LIMIT', 0, most)
    for i = 1, #jobs, 2 do
      found[#found + 1] = { tonumber(jobs[i + 1]) - class, jobs[i], jobs[i + 1] }
    end
    above = '(' .. string.format('%.0f', class)
  end
  return found
end

--- Move up to `wanted` of them into active, the oldest first. Answers their ids, and their scores by id.
local function pop_passed_over(base, wanted)
  local lowest, key = first_passed_over(base), base .. 'prioritized'
  local found = lowest and oldest_of_each(key, string.format('%.0f', lowest), wanted) or {}
  table.sort(found, function(one, other)
    return one[1] < other[1]
  end)
  local ids, scores = {}, {}
  for i = 1, math.min(wanted, #found) do
    ids[i] = found[i][2]
    scores[ids[i]] = found[i][3]
  end
  if #ids > 0 then
    redis.call('ZREM', key, unpack(ids))
    call_with_many('LPUSH', base .. 'active', ids)
  end
  return ids, scores
end
