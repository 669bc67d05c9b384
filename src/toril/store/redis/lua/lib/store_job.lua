--- Write the hash of a job, tell that it was added, and let it wait.
--- @include "pushes"

-- A job to store is an array, since batches are unpacked faster than maps.
local NAME, DATA, OPTS, TIMESTAMP, DELAY, PRIORITY, LIFO = 1, 2, 3, 4, 5, 6, 7

local TIES = { 'parentKey', 'parent', 'rjk', 'deid' }

--- ties: what binds the job to a parent, a scheduler or a deduplication id; a table or nothing.
local function store_job(base, id, job, ties)
  local more = {}
  if ties then
    for _, field in ipairs(TIES) do
      if ties[field] then
        more[#more + 1] = field
        more[#more + 1] = ties[field]
      end
    end
  end
  redis.call('HSET', base .. id, 'name', job[NAME], 'data', job[DATA], 'opts', job[OPTS],
    'timestamp', job[TIMESTAMP], 'delay', job[DELAY], 'priority', job[PRIORITY], unpack(more))
  emit(base, 'added', 'jobId', id, 'name', job[NAME])
end

--- Let a stored job wait: by its delay, its priority, or its side of the line.
local function enqueue_job(base, id, job, open)
  if job[DELAY] > 0 then
    local due = due_time(job[TIMESTAMP], job[DELAY])
    push_delayed(base, id, due)
    emit_trimmed(base, 'delayed', 'jobId', id, 'delay', due)
    return
  end
  push_ready(base, id, job[PRIORITY], job[LIFO] and 'R' or 'L', open)
  emit_trimmed(base, 'waiting', 'jobId', id)
end
