--- A worker that takes no more gave up a slot of the queue, or has heard of a job: let the others know.
--- @args    always
--- @returns 0
--- @include "wake"

if always == '1' or redis.call('HEXISTS', base .. 'meta', 'concurrency') == 1 then
  wake_if_ready(base)
end
return 0
