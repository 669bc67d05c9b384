--- The event stream of a queue. `emit` appends, `emit_trimmed` also keeps the stream near its cap.

-- The cap is read once a script run; nothing in a run that uses it changes it.
local caps = {}

local function event_cap(base)
  local cap = caps[base]
  if not cap then
    cap = redis.call('HGET', base .. 'meta', 'opts.maxLenEvents')
    if not cap then
      cap = '10000'
      redis.call('HSET', base .. 'meta', 'opts.maxLenEvents', cap)
    end
    caps[base] = cap
  end
  return cap
end

local function emit(base, ...)
  redis.call('XADD', base .. 'events', '*', 'event', ...)
end

local function emit_trimmed(base, ...)
  redis.call('XADD', base .. 'events', 'MAXLEN', '~', event_cap(base), '*', 'event', ...)
end

local function trim_events(base)
  redis.call('XTRIM', base .. 'events', 'MAXLEN', '~', event_cap(base))
end
