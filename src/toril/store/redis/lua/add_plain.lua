--- Add jobs that need nothing special: ids are counted, nobody is their parent, they wait at once at the end of
--- the line. It leaves what `add` would leave. Most jobs are such, and a call that carries one of them spends
--- more on making the functions of `add` than on the job, so there are none here.
--- A job is { name, data, opts, timestamp, ... }, as for `add`.
--- @args    jobs producer request again
--- @returns a list of ids
--- @include "receipt_kept"

local call = redis.call
if again == '1' then
  --- @include "receipt"
  local answers = find_receipt(base, producer, request)
  if answers then
    return answers
  end
end

local meta = call('HMGET', base .. 'meta', 'opts.maxLenEvents', 'paused', 'concurrency')
local cap = meta[1]
if not cap then
  cap = '10000'
  call('HSET', base .. 'meta', 'opts.maxLenEvents', cap)
end

local batch, ids, events = cmsgpack.unpack(jobs), {}, base .. 'events'
local last = call('INCRBY', base .. 'id', #batch) - #batch
for i = 1, #batch do
  local job, id = batch[i], string.format('%.0f', last + i)
  ids[i] = id
  call('HSET', base .. id, 'name', job[1], 'data', job[2], 'opts', job[3], 'timestamp', job[4], 'delay', '0',
    'priority', '0')
  call('XADD', events, '*', 'event', 'added', 'jobId', id, 'name', job[1])
  if i < #batch then
    call('XADD', events, '*', 'event', 'waiting', 'jobId', id)
  end
end
-- The last event trims for all of them: what is left is the same, and trimming costs as much as the event.
call('XADD', events, 'MAXLEN', '~', cap, '*', 'event', 'waiting', 'jobId', ids[#batch])

local most_active = tonumber(meta[3])
local open = not meta[2] and not (most_active and call('LLEN', base .. 'active') >= most_active)
call('LPUSH', base .. 'wait', unpack(ids))
if open then
  call('ZADD', base .. 'marker', 0, '0')
end
if producer ~= '' then
  write_receipt(base, producer, { request, false, last, #batch })
end
return ids
