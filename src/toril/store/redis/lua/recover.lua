--- Give back jobs whose worker is gone: active ones without a lock at two checks in a row.
--- @args    most_stalled interval_ms now
--- @returns the ids that wait again; none when another worker has checked within the interval
--- @include "marker"
--- @include "gate"
--- @include "pushes"
--- @include "lost_workers"
--- @include "locks"

local call = redis.call

local function is_scheduled(job_key)
  local scheduler = call('HGET', job_key, 'rjk')
  return scheduler
    and (call('EXISTS', base .. 'repeat:' .. scheduler) == 1 or call('ZSCORE', base .. 'repeat', scheduler))
end

local function recover(id)
  local job_key = base .. id
  if is_marker(id) then
    call('LREM', base .. 'active', 1, id)
    return false
  end
  if token_in(job_key .. ':lock') then
    return false
  end
  -- Read before the job leaves the active ones: nothing may fail after that. No number counts as 0.
  local stalled = math.floor(tonumber(call('HGET', job_key, 'stc')) or 0) + 1
  if call('LREM', base .. 'active', 1, id) == 0 then
    return false
  end
  call('HSET', job_key, 'stc', stalled)
  if stalled > tonumber(most_stalled) and not is_scheduled(job_key) then
    call('HSET', job_key, 'defa', 'job stalled more than allowable limit')
  end
  push_wait(base, id, 'R', gate_is_open(base))
  emit(base, 'waiting', 'jobId', id, 'prev', 'active')
  emit(base, 'stalled', 'jobId', id)
  return true
end

tell_lost_workers(now, interval_ms)
if call('SET', base .. 'stalled-check', now, 'PX', interval_ms, 'NX') == false then
  return {}
end
trim_events(base)
local recovered = {}
local suspects = call('SMEMBERS', base .. 'stalled')
call('DEL', base .. 'stalled')
for _, id in ipairs(suspects) do
  if recover(id) then
    recovered[#recovered + 1] = id
  end
end
flush_pushes()
call_with_many('SADD', base .. 'stalled', call('LRANGE', base .. 'active', 0, -1))
return recovered
