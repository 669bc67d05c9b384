--- Let a job's parent no longer wait for it.
--- @args    id parent_key
--- @returns 1 untied  0 the parent did not wait for it, or a refusal
--- @errors  -1 job missing  -5 parent missing
--- @include "removal"

local call = redis.call
local job_key = base .. id
if call('EXISTS', job_key) == 0 then
  return -1
end
if call('EXISTS', parent_key) == 0 then
  return -5
end
if not detach_from_parent(base, job_key, false, parent_key) then
  return 0
end
call('HDEL', job_key, 'parentKey', 'parent')
flush_pushes()
return 1
