--- The one job of a scheduler that its schedule depends on.

local function is_next_iteration(queue, job)
  local scheduler = redis.call('HGET', queue .. job, 'rjk')
  local due = scheduler and redis.call('ZSCORE', queue .. 'repeat', scheduler)
  return due and job == 'repeat:' .. scheduler .. ':' .. due
end
