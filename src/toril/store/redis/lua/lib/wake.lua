--- Word to the workers that a job may be had, without one having been added.
--- @include "gate"
--- @include "pushes"

local function wake_if_ready(base)
  if gate_is_open(base) and redis.call('EXISTS', base .. 'wait', base .. 'prioritized') > 0 then
    mark_ready(base)
  end
end
