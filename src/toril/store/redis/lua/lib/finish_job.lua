--- Finishing a job: retention, metrics, parents, deduplication, events.
--- @include "finish"
--- @include "deduplicate"
--- @include "locks"

-- How many jobs one finish removes for their age when the job names no limit.
local MOST_AGED = 1000
-- How many it removes because there are more than are kept.
local MOST_COUNTED = 1000

local function write_fields(job_key, fields)
  if fields and #fields > 0 then
    redis.call('HSET', job_key, unpack(fields))
  end
end

local function remove_aged(base, target, keep, now)
  local key, cut, limit = base .. target, now - keep[2] * 1000, keep[3] or MOST_AGED
  local ids = redis.call('ZREVRANGEBYSCORE', key, cut, '-inf', 'LIMIT', 0, limit)
  if #ids == 0 then
    return
  end
  for _, id in ipairs(ids) do
    remove_job(base, id, false, false)
  end
  if #ids < limit then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', cut)
  else
    call_with_many('ZREM', key, ids)
  end
end

--- The oldest of those that are too many. If that are very many, the next finishes remove the rest.
local function remove_beyond_count(base, target, count)
  local first = math.max(count, redis.call('ZCARD', base .. target) - MOST_COUNTED)
  local ids = redis.call('ZREVRANGE', base .. target, first, -1)
  for _, id in ipairs(ids) do
    remove_job(base, id, false, false)
  end
  if #ids > 0 then
    redis.call('ZREMRANGEBYRANK', base .. target, 0, #ids - 1)
  end
end

local function keep_finished(base, finish, made, now)
  local id, target, keep = finish[ID], finish[TARGET], finish[KEEP]
  local field = target == 'completed' and 'returnvalue' or 'failedReason'
  redis.call('ZADD', base .. target, now, id)
  redis.call('HSET', base .. id, 'atm', made, field, finish[VALUE], 'finishedOn', now)
  if target == 'failed' then
    redis.call('HDEL', base .. id, 'defa')
  end
  if keep[2] then
    remove_aged(base, target, keep, now)
  end
  if keep[1] > 0 then
    remove_beyond_count(base, target, keep[1])
  end
end

--- Tell the parent. A removed failed child without a policy releases it through `detach_from_parent`.
local function tell_parent(base, finish, parent_key, policy, now)
  local job_key = base .. finish[ID]
  if finish[TARGET] == 'completed' then
    child_completed(parent_key, policy, job_key, finish[VALUE], now)
  else
    child_failed(parent_key, policy, job_key, finish[VALUE], now)
  end
end

--- What forbids to finish the job, before anything is written.
local function finish_refusal(job_key, target)
  if redis.call('EXISTS', job_key) == 0 then
    return -1
  end
  if target == 'completed' then
    if redis.call('EXISTS', job_key .. ':dependencies') == 1 then
      return -4
    end
    if redis.call('EXISTS', job_key .. ':unsuccessful') == 1 then
      return -9
    end
  end
  return 0
end

--- What must be known of a job that is to be concluded; read before it leaves its state: nothing may fail then.
local function read_ties(job_key)
  return redis.call('HMGET', job_key, 'parentKey', 'parent', 'deid', 'atm')
end

--- All that finishing means beside leaving the state `prev`. ties: what `read_ties` found. attempt: 1 if this
--- was one, else 0.
local function conclude(base, finish, ties, prev, attempt, now)
  local id = finish[ID]
  local job_key, parent_key, deid = base .. id, ties[1], ties[3]
  local has_parent = parent_key and parent_key ~= ''
  trim_events(base)
  if deid then
    free_deduplication(base, id, deid)
    add_remembered_job(base, deid, now)
  end
  if has_parent then
    tell_parent(base, finish, parent_key, decode_object(ties[2]), now)
  end
  local made = (tonumber(ties[4]) or 0) + attempt
  if finish[KEEP][1] == 0 then
    delete_job_keys(job_key)
    if has_parent then
      detach_from_parent(base, job_key, false, parent_key)
    end
  else
    keep_finished(base, finish, made, now)
  end
  tell_finished(base, finish, made, prev)
  if finish[POINTS] then
    count_finished(base, finish[TARGET], 1, finish[POINTS], now)
  end
end

--- Finish one active job of any kind. Answers 0 or the number of the refusal.
local function finish_job(base, finish, now)
  local id = finish[ID]
  local job_key = base .. id
  local number = finish_refusal(job_key, finish[TARGET])
  number = number ~= 0 and number or release_lock(base, id, finish[TOKEN])
  if number ~= 0 then
    return number
  end
  write_fields(job_key, finish[FIELDS])
  local ties = read_ties(job_key)
  if redis.call('LREM', base .. 'active', -1, id) == 0 then
    return -3
  end
  conclude(base, finish, ties, 'active', 1, now)
  return 0
end

--- After a lost answer: the job is where this finish would have left it.
local function was_finished(base, finish, now)
  local job_key = base .. finish[ID]
  if redis.call('EXISTS', job_key) == 0 then
    return true
  end
  return redis.call('HGET', job_key, 'finishedOn') == tostring(now)
end
