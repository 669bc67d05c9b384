--- Remove jobs of a tree that is too large for one step, from its leaves on. Their parents go later and are not
--- released, but for `root` if that is to stay.
--- @args    jobs root
--- @returns how many of them, from the first on, were dealt with; 1 if the next one runs
--- A job is { key, parent keys, guarded }. A guarded job that runs is not removed. `root` is empty, or else the key
--- of a job that stays, and then jobs that run or failed are passed over.
--- @include "trees"

local call = redis.call
local plan = cmsgpack.unpack(jobs)
local stays = root ~= ''

local function untie(job, parent_key)
  if stays and parent_key == root then
    detach_from_parent(job.base, job.key, false, parent_key)
    return
  end
  call('SREM', parent_key .. ':dependencies', job.key)
  call('HDEL', parent_key .. ':processed', job.key)
  call('HDEL', parent_key .. ':failed', job.key)
  call('ZREM', parent_key .. ':unsuccessful', job.key)
end

local going, looked_at, runs = {}, 0, 0
for _, planned in ipairs(plan) do
  local key = planned[1]
  local job_base, job_id = split_key(key)
  local locked = call('EXISTS', key .. ':lock') == 1
  if locked and planned[3] and not stays then
    runs = 1
    break
  end
  looked_at = looked_at + 1
  if not stays or not (locked or call('ZSCORE', job_base .. 'failed', job_id)) then
    going[#going + 1] = { base = job_base, id = job_id, key = key, parents = planned[2], place = looked_at }
  end
end

local found, count = find_listed(going)
if count < #going then
  looked_at, runs = going[count + 1].place - 1, 0
end
local states = take_listed(going, count, found)
for i = 1, count do
  local job = going[i]
  for _, parent_key in ipairs(job.parents) do
    untie(job, parent_key)
  end
  delete_from_tree(job.base, job.id, states[job.key] or 'unknown')
end
flush_pushes()
wake_where_slots_are_free()
return { looked_at, runs }
