--- Deduplication: one living job for each deduplication id.
--- rule: { id, ttl, extend, replace, reschedule, keepLastIfActive } of the incoming job.
--- @include "removal"
--- @include "store_job"

local function owner_key(base, rule)
  return base .. 'de:' .. rule.id
end

--- Name `id` as the owner. A rule that keeps the last job has no time to live.
local function own(base, rule, id)
  if rule.ttl and rule.ttl > 0 and not rule.keepLastIfActive then
    redis.call('SET', owner_key(base, rule), id, 'PX', rule.ttl)
  else
    redis.call('SET', owner_key(base, rule), id)
  end
end

local function tell_deduplicated(base, rule, surviving, rejected)
  emit_trimmed(base, 'deduplicated', 'jobId', surviving, 'deduplicationId', rule.id,
    'deduplicatedJobId', rejected)
end

--- The owner is gone without a trace: its key would block the id for ever.
local function owner_is_stale(base, rule, owner)
  return redis.call('PTTL', owner_key(base, rule)) == -1 and redis.call('EXISTS', base .. owner) == 0
end

local function take_over(base, rule, id)
  redis.call('DEL', owner_key(base, rule), base .. 'dn:' .. rule.id)
  own(base, rule, id)
end

--- While the owner runs, remember the newest job as the next one. Answers whether that was the case.
local function store_next(base, rule, owner, id, job, ties)
  if not rule.keepLastIfActive or not redis.call('LPOS', base .. 'active', owner) then
    return false
  end
  local key = base .. 'dn:' .. rule.id
  local fields = { 'name', job[NAME], 'data', job[DATA], 'opts', job[OPTS], 'jid', id }
  local names = { parentKey = 'pk', parent = 'pd', dependencies = 'pdk', rjk = 'rjk' }
  for tie, field in pairs(names) do
    if ties[tie] then
      fields[#fields + 1] = field
      fields[#fields + 1] = ties[tie]
    end
  end
  redis.call('DEL', key)
  redis.call('HSET', key, unpack(fields))
  redis.call('PERSIST', owner_key(base, rule))
  tell_deduplicated(base, rule, owner, id)
  return true
end

--- Remove a delayed owner in favour of the incoming job. Answers whether the owner was delayed.
local function replace_delayed_owner(base, rule, owner, id)
  flush_pushes()
  if redis.call('ZREM', base .. 'delayed', owner) == 0 then
    return false
  end
  delete_job_keys(base .. owner)
  emit(base, 'removed', 'jobId', owner, 'prev', 'delayed')
  tell_deduplicated(base, rule, id, owner)
  redis.call('DEL', base .. 'dn:' .. rule.id)
  local key = owner_key(base, rule)
  if rule.ttl and rule.ttl > 0 and not rule.keepLastIfActive and not rule.extend then
    redis.call('SET', key, id, 'KEEPTTL')
  else
    own(base, rule, id)
  end
  return true
end

local function reschedule_owner(base, owner, job)
  flush_pushes()
  if not redis.call('ZSCORE', base .. 'delayed', owner) then
    return
  end
  redis.call('HSET', base .. owner, 'delay', job[DELAY])
  local due = due_time(job[TIMESTAMP], job[DELAY])
  push_delayed(base, owner, due)
  -- It leaves its old score, which the next job may get.
  flush_pushes()
  emit_trimmed(base, 'delayed', 'jobId', owner, 'delay', due)
end

local function keep_owner(base, rule, owner, id)
  if rule.ttl and rule.ttl > 0 and rule.extend then
    own(base, rule, owner)
  end
  tell_deduplicated(base, rule, owner, id)
end

--- Decide on an incoming job: answers the id of the owner that makes it superfluous, or nil to add it.
local function deduplicate(base, rule, id, job, ties)
  local owner = redis.call('GET', owner_key(base, rule))
  if not owner then
    own(base, rule, id)
    return nil
  end
  local replaces = rule.replace and not ties.waits
  if replaces and replace_delayed_owner(base, rule, owner, id) then
    return nil
  end
  if owner_is_stale(base, rule, owner) then
    take_over(base, rule, id)
    return nil
  end
  if not store_next(base, rule, owner, id, job, ties) and not replaces then
    keep_owner(base, rule, owner, id)
  end
  if rule.reschedule and not rule.replace and not ties.waits then
    reschedule_owner(base, owner, job)
  end
  return owner
end

--- JSON text of an object; whatever else it turns out to be counts as empty.
local function decode_object(text)
  local ok, value = pcall(cjson.decode, text or '{}')
  return ok and type(value) == 'table' and value or {}
end

--- The owner finished: its id is free again, unless a time to live holds it longer.
local function free_deduplication(base, id, deid)
  local key = base .. 'de:' .. deid
  local ttl = redis.call('PTTL', key)
  if ttl == 0 or (ttl == -1 and redis.call('GET', key) == id) then
    redis.call('DEL', key)
  end
end

--- Add the job that was remembered while the owner ran.
local function add_remembered_job(base, deid, now)
  local key = base .. 'dn:' .. deid
  if redis.call('EXISTS', key) == 0 then
    return
  end
  local next_job = redis.call('HMGET', key, 'name', 'data', 'opts', 'jid', 'pk', 'pd', 'pdk', 'rjk')
  local counter = redis.call('INCR', base .. 'id')
  local id = next_job[4] or tostring(counter)
  local opts = decode_object(next_job[3])
  local rule = type(opts.de) == 'table' and opts.de or {}
  rule.id = deid
  own(base, rule, id)
  local job = { next_job[1], next_job[2], next_job[3], now, tonumber(opts.delay) or 0,
    tonumber(opts.priority) or 0, opts.lifo }
  store_job(base, id, job, { deid = deid, parentKey = next_job[5], parent = next_job[6], rjk = next_job[8] })
  enqueue_job(base, id, job, gate_is_open(base))
  if next_job[7] then
    redis.call('SADD', next_job[7], base .. id)
  end
  redis.call('DEL', key)
end
