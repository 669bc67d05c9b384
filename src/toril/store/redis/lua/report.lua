--- What handlers and users report on jobs: progress, data, log rows. Many at once, each with its answer.
--- An entry is { 'progress' | 'data', id, json } or { 'log', id, row, keep or false }.
--- @args    entries
--- @returns for each entry 0, the number of log rows that are kept now, or a refusal
--- @errors  -1 job missing
--- @include "events"

local call = redis.call

local function log(id, row, keep)
  local rows = call('RPUSH', base .. id .. ':logs', row)
  if keep and keep > 0 then
    call('LTRIM', base .. id .. ':logs', -keep, -1)
    return math.min(keep, rows)
  end
  return rows
end

local function report(kind, id, value, keep)
  if call('EXISTS', base .. id) == 0 then
    return -1
  end
  if kind == 'log' then
    return log(id, value, keep)
  end
  if kind == 'progress' then
    event_cap(base)
  end
  call('HSET', base .. id, kind, value)
  if kind == 'progress' then
    emit_trimmed(base, 'progress', 'jobId', id, 'data', value)
  end
  return 0
end

local answers = {}
for i, entry in ipairs(cmsgpack.unpack(entries)) do
  answers[i] = report(unpack(entry))
end
return answers
