--- One job completes and the next one starts: what a worker of one slot asks for most. It leaves what `settle`
--- leaves, and does nothing at all, so that `settle` can do it, if anything is out of the ordinary: a limited
--- or paused queue, a job with a parent, children or a deduplication id, a lost lock, a delayed job that is due.
--- A call with one job spends more on making the functions of `settle` than on the job, so there are none here.
--- @args    id token value now next_token lock_ms worker
--- @returns as `settle`; 0 if nothing was done

local call = redis.call
local job_key, time = base .. id, tonumber(now)
local meta = call('HMGET', base .. 'meta', 'opts.maxLenEvents', 'paused', 'concurrency', 'max')
local job = redis.pcall('HMGET', job_key, 'ats', 'atm', 'parentKey', 'deid')
local first = call('ZRANGE', base .. 'delayed', 0, 0, 'WITHSCORES')
local next_due = first[2] and math.floor(tonumber(first[2]) / 4096) or 0
if not meta[1] or meta[2] or meta[3] or meta[4] or not job[1] or job[3] or job[4]
  or (first[2] and next_due <= time)
  or redis.pcall('GET', job_key .. ':lock') ~= token
  or call('EXISTS', job_key .. ':dependencies', job_key .. ':unsuccessful') > 0
  or call('LREM', base .. 'active', -1, id) == 0 then
  return 0
end

local events, cap = base .. 'events', meta[1]
call('DEL', job_key .. ':lock')
call('SREM', base .. 'stalled', id)
call('HSET', job_key, 'atm', (tonumber(job[2]) or 0) + 1, 'returnvalue', value, 'finishedOn', now)
call('XTRIM', events, 'MAXLEN', '~', cap)
call('XADD', events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', value, 'prev', 'active')
call('ZADD', base .. 'completed', now, id)

local taken, next_id = {}, nil
repeat
  next_id = call('RPOP', base .. 'wait')
  local marker = next_id and string.sub(next_id, 1, 2) == '0:'
  next_id = next_id or call('ZPOPMIN', base .. 'prioritized')[1]
  if next_id and not marker then
    call('LPUSH', base .. 'active', next_id)
    local key = base .. next_id
    local fields = redis.pcall('HGETALL', key)
    if fields.err then
      call('LREM', base .. 'active', 1, next_id)
    else
      local started, last = 0, #fields
      for i = 1, last, 2 do
        if fields[i] == 'ats' then
          started = tonumber(fields[i + 1]) or 0
        end
      end
      call('SET', key .. ':lock', next_token, 'PX', lock_ms)
      call('XADD', events, '*', 'event', 'active', 'jobId', next_id, 'prev', 'waiting')
      fields[last + 1], fields[last + 2], fields[last + 3], fields[last + 4] = 'processedOn', now, 'ats', started + 1
      if worker ~= '' then
        fields[last + 5], fields[last + 6] = 'pb', worker
      end
      call('HSET', key, unpack(fields, last + 1))
      taken[1] = { next_id, fields }
      call('ZADD', base .. 'marker', 0, '0')
    end
  end
until taken[1] or not next_id

if not taken[1] then
  call('DEL', base .. 'pc')
  if next_due == 0 and call('EXISTS', base .. 'wait', base .. 'active', base .. 'prioritized') == 0 then
    call('XADD', events, '*', 'event', 'drained')
  end
end
return { 0, { taken, 0, taken[1] and 0 or next_due, 0 } }
