--- Remove a job scheduler and its job, unless that waits for a worker already.
--- @args    id
--- @returns 1 removed  0 there was none
--- @include "events"
--- @include "job_keys"

local call = redis.call
local due = call('ZSCORE', base .. 'repeat', id)
if due then
  local job = 'repeat:' .. id .. ':' .. due
  if call('ZREM', base .. 'delayed', job) == 1 then
    delete_job_keys(base .. job)
    emit(base, 'removed', 'jobId', job, 'prev', 'delayed')
  end
end
local removed = call('ZREM', base .. 'repeat', id)
if removed == 1 then
  call('DEL', base .. 'repeat:' .. id)
end
return removed
