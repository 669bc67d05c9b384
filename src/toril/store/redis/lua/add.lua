--- Add jobs: each one gets its id, or the number of its refusal, and none harms its neighbours.
--- A job is { name, data, opts, timestamp, delay, priority, lifo, id, more }; `more` is false or a map:
--- parentKey, parent, dependencies (a parent's set), rjk, dedup, duplicate ("raise" | "replace"),
--- waits (it has children of its own), base (another queue's).
--- @args    jobs producer request again atomic release now
--- @returns a list: id, or { id, fields } of the job that exists already, or a negative number;
---          for an atomic call that is refused: { "refused", numbers }
--- @errors  -5 parent missing  -7 parent not replaceable  -20 duplicate  -21 the duplicate is running
---          -22 the parent runs and was cancelled
--- @include "gate"
--- @include "cancelled"
--- @include "store_job"
--- @include "receipt"

local ID, MORE = 8, 9
local call = redis.call
local batch = cmsgpack.unpack(jobs)
local gates = {}

local function gate_of(queue)
  if gates[queue] == nil then
    gates[queue] = gate_is_open(queue)
  end
  return gates[queue]
end

-- What the checks of an atomic call have found out: keys that hold no job.
local free = {}
-- Keys of jobs that this call has added.
local stored = {}

--- Ids are counted one by one where a job may be refused without using one up.
local function counts_ahead()
  for _, job in ipairs(batch) do
    if job[MORE] and atomic ~= '1' then
      return false
    end
  end
  return true
end

local function queue_of(job)
  return job[MORE] and job[MORE].base or base
end

local function next_id_by_one(queue)
  return call('INCR', queue .. 'id')
end

local function next_ids_ahead()
  local counts, last = {}, {}
  for _, job in ipairs(batch) do
    local queue = queue_of(job)
    counts[queue] = (counts[queue] or 0) + 1
  end
  return function(queue)
    last[queue] = (last[queue] or call('INCRBY', queue .. 'id', counts[queue]) - counts[queue]) + 1
    return last[queue]
  end
end

local function refusal(queue, job, made)
  local more = job[MORE]
  if not more then
    return 0
  end
  if more.parentKey and not made[more.parentKey] then
    if call('EXISTS', more.parentKey) == 0 then
      return -5
    end
    -- Who has cancelled it has read its children by now. Of a key that is no job, others complain.
    local cancelled = redis.pcall('HGET', more.parentKey, 'defa') == CANCELLED
    if cancelled and call('EXISTS', more.parentKey .. ':lock') == 1 then
      return -22
    end
  end
  if more.duplicate and job[ID] then
    local key = queue .. job[ID]
    if more.duplicate == 'raise' and (made[key] or call('EXISTS', key) == 1) then
      return -20
    end
    if more.duplicate == 'replace' and call('EXISTS', key .. ':lock') == 1 then
      return -21
    end
  end
  return 0
end

local rare

--- What few jobs need: parents, replacing, deduplication. Making functions costs more than a plain add does,
--- so these are made when the first such job comes.
local function for_few()
  flush_pushes()
  if not rare then
    --- @include "deduplicate"
    --- @include "existing"
    rare = { attach = attach_existing, replace = replace_existing, deduplicate = deduplicate }
    rare.release = release_parent_without_pending
  end
  return rare
end

local function enqueue(queue, id, job, more)
  if more and more.waits then
    call('ZADD', queue .. 'waiting-children', job[TIMESTAMP], id)
    emit_trimmed(queue, 'waiting-children', 'jobId', id)
  else
    enqueue_job(queue, id, job, gate_of(queue))
  end
end

local function add(queue, job, counter)
  local more, id = job[MORE], job[ID] or tostring(counter)
  local key = queue .. id
  event_cap(queue)
  if job[ID] and (stored[key] or not free[key]) and call('EXISTS', key) == 1 then
    if not (more and more.duplicate == 'replace') then
      return for_few().attach(queue, id, more, release ~= '', tonumber(now))
    end
    for_few().replace(queue, id)
  end
  if more and more.dedup then
    local owner = for_few().deduplicate(queue, more.dedup, id, job, more)
    if owner then
      return { owner, call('HGETALL', queue .. owner) }
    end
    more.deid = more.dedup.id
    -- Its rule may have removed what this call has added.
    stored, free = {}, {}
  end
  store_job(queue, id, job, more)
  stored[key] = true
  enqueue(queue, id, job, more)
  if more and more.dependencies then
    push_member(more.dependencies, key)
  end
  return id
end

--- A job of this id is the child of another parent, which lives. Of jobs made before in this call, `made`
--- knows the parents.
local function belongs_to_another(key, more, made)
  if not (more and more.parentKey) or more.duplicate == 'replace' then
    return false
  end
  free[key] = not made[key] and call('EXISTS', key) == 0
  if free[key] then
    return false
  end
  local old = made[key] or call('HGET', key, 'parentKey')
  return old and old ~= '' and old ~= more.parentKey and (made[old] or call('EXISTS', old) == 1)
end

--- What would be refused, without writing anything.
local function check_all()
  local made, numbers, refused = {}, {}, false
  for i, job in ipairs(batch) do
    local more, queue = job[MORE], queue_of(job)
    local number = refusal(queue, job, made)
    if job[ID] then
      local key = queue .. job[ID]
      if number == 0 and belongs_to_another(key, more, made) then
        number = -7
      end
      made[key] = made[key] or more and more.parentKey or ''
    end
    numbers[i] = number
    refused = refused or number ~= 0
  end
  return refused and numbers or nil
end

local function add_all()
  local next_id = counts_ahead() and next_ids_ahead() or next_id_by_one
  local answers = {}
  for i, job in ipairs(batch) do
    local queue = queue_of(job)
    local number = refusal(queue, job, stored)
    answers[i] = number ~= 0 and number or add(queue, job, next_id(queue))
  end
  flush_pushes()
  return answers
end

--- At the end of a tree: parents whose children were all there and done already.
local function release_parents()
  for _, key in ipairs(cmsgpack.unpack(release)) do
    if call('HDEL', key, 'flowAttachmentFailed') == 0 then
      for_few().release(key, nil, tonumber(now))
    end
  end
  flush_pushes()
end

--- Answers of a receipt, in which jobs that existed are ids alone, with the fields of these jobs.
local function with_fields(answers)
  for i, answer in ipairs(answers) do
    if type(answer) == 'table' then
      answer[2] = call('HGETALL', queue_of(batch[i]) .. answer[1])
    end
  end
  return answers
end

if again == '1' then
  local answers = find_receipt(base, producer, request)
  if answers then
    return with_fields(answers)
  end
end
if atomic == '1' then
  local numbers = check_all()
  if numbers then
    return { 'refused', numbers }
  end
end
local answers = add_all()
if release ~= '' then
  release_parents()
end
if producer ~= '' then
  keep_receipt(base, producer, request, answers)
end
return answers
