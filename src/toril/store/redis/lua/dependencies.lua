--- Children of a job by what became of them: processed { key, value, ... }, unprocessed { key, ... },
--- ignored { key, reason, ... }, failed { key, ... }.
--- @args    id pages
--- @returns for each kind of `pages` { entries, next cursor }; a page is { kind, cursor, count }, where a
---          count of 0 asks for all. False if these are too many for one call.

local call = redis.call
local key = base .. id
local readers = {
  processed = { ':processed', 'HGETALL', 'HSCAN', 'HLEN' },
  unprocessed = { ':dependencies', 'SMEMBERS', 'SSCAN', 'SCARD' },
  ignored = { ':failed', 'HGETALL', 'HSCAN', 'HLEN' },
  failed = { ':unsuccessful', false, false, 'ZCARD' },
}

-- So many are read at once.
local MOST_AT_ONCE = 1000

local function are_too_many(pages_asked)
  local whole = 0
  for _, page in ipairs(pages_asked) do
    whole = whole + (page[3] == 0 and call(readers[page[1]][4], key .. readers[page[1]][1]) or 0)
  end
  return whole > MOST_AT_ONCE
end

local function read_failed(cursor, count)
  local last = count > 0 and cursor + count - 1 or -1
  local found = call('ZRANGE', key .. ':unsuccessful', cursor, last)
  local more = count > 0 and call('ZCARD', key .. ':unsuccessful') > cursor + count
  return { found, more and cursor + count or 0 }
end

local function read(kind, cursor, count)
  if kind == 'failed' then
    return read_failed(cursor, count)
  end
  local reader = readers[kind]
  if count == 0 then
    return { call(reader[2], key .. reader[1]), 0 }
  end
  local found = call(reader[3], key .. reader[1], cursor, 'COUNT', count)
  return { found[2], tonumber(found[1]) }
end

local asked = cmsgpack.unpack(pages)
if are_too_many(asked) then
  return false
end
local answers = {}
for i, page in ipairs(asked) do
  answers[i] = read(unpack(page))
end
return answers
