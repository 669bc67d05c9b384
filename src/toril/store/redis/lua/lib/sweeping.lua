--- Removing many jobs of a queue at once: those a state lists, without a word to the event stream.
--- @include "removal"

--- The pending iteration of a job scheduler stays whatever else goes: without it the schedule stops.
local function is_pending_iteration(base, id)
  local scheduler, due = string.match(id, '^repeat:(.*):(%d+)$')
  return scheduler ~= nil and redis.call('ZSCORE', base .. 'repeat', scheduler) == due
end

--- What is asked of a job before it goes: `names` and what its removal needs. Nil where the key holds no job.
local function read_before_removal(base, id, names)
  local fields = redis.pcall('HMGET', base .. id, 'parentKey', 'deid', unpack(names))
  return not fields.err and fields or nil
end

--- Delete a job that its caller takes out of its state. What is no job at its key is left alone.
local function sweep_job(base, id, fields)
  if not fields then
    return
  end
  local job_key = base .. id
  if fields[1] and fields[1] ~= '' then
    detach_from_parent(base, job_key, true)
  end
  forget_deduplication(base, id, fields[2])
  delete_job_keys(job_key)
end
