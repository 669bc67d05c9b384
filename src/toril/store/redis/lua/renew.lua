--- Renew the locks of running jobs.
--- @args    ids_and_tokens lock_ms
--- @returns the ids whose lock is lost, and the ids of jobs that were cancelled while they run
--- @include "cancelled"
--- @include "locks"

local call = redis.call
local pairs_of = cmsgpack.unpack(ids_and_tokens)
local lost, kept, cancelled = {}, {}, {}
for i = 1, #pairs_of, 2 do
  local id, token = pairs_of[i], pairs_of[i + 1]
  local key = base .. id .. ':lock'
  if token_in(key) == token then
    call('SET', key, token, 'PX', lock_ms)
    kept[#kept + 1] = id
    -- Whatever is where the job should be, the lock is kept.
    if redis.pcall('HGET', base .. id, 'defa') == CANCELLED then
      cancelled[#cancelled + 1] = id
    end
  else
    lost[#lost + 1] = id
  end
end
for first = 1, #kept, 1000 do
  call('SREM', base .. 'stalled', unpack(kept, first, math.min(first + 999, #kept)))
end
return { lost, cancelled }
