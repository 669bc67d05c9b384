--- Adding a job whose id is taken: keep the job that is there, or replace it.
--- @include "removal"

--- A job of this id exists: attach it to the parent that was asked for, if it may be.
local function attach_existing(queue, id, more, in_tree, now)
  local key = queue .. id
  local old = redis.call('HGET', key, 'parentKey')
  local parent_key = more and more.parentKey
  if not old or old == parent_key or redis.call('EXISTS', old) == 0 then
    if parent_key then
      if redis.call('ZSCORE', queue .. 'completed', id) then
        redis.call('HSET', parent_key .. ':processed', key, redis.call('HGET', key, 'returnvalue') or 'null')
        if not in_tree then
          release_parent_without_pending(parent_key, nil, now)
        end
      else
        redis.call('SADD', parent_key .. ':dependencies', key)
      end
      redis.call('HSET', key, 'parentKey', parent_key, 'parent', more.parent)
    end
  elseif parent_key then
    if in_tree then
      redis.call('HSET', parent_key, 'flowAttachmentFailed', '1')
    end
    return -7
  end
  emit_trimmed(queue, 'duplicated', 'jobId', id)
  return { id, redis.call('HGETALL', key) }
end

local function replace_existing(queue, id)
  local state = leave_any_state(queue, id)
  remove_job(queue, id, false, true)
  emit_trimmed(queue, 'removed', 'jobId', id, 'prev', state)
end
