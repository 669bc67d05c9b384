--- A slot of the queue was given up by a worker that takes no more: let the others know.
--- @returns 0
--- @include "wake"

if redis.call('HEXISTS', base .. 'meta', 'concurrency') == 1 then
  wake_if_ready(base)
end
return 0
