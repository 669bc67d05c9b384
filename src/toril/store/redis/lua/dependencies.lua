--- Children of a job by what became of them: processed { key, value, ... }, unprocessed { key, ... },
--- ignored { key, reason, ... }, failed { key, ... }.
--- @args    id pages
--- @returns for each kind of `pages` { entries, next cursor }; a page is { kind, cursor, count }, where a
---          count of 0 asks for all

local call = redis.call
local key = base .. id
local readers = {
  processed = { ':processed', 'HGETALL', 'HSCAN' },
  unprocessed = { ':dependencies', 'SMEMBERS', 'SSCAN' },
  ignored = { ':failed', 'HGETALL', 'HSCAN' },
}

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

local answers = {}
for i, page in ipairs(cmsgpack.unpack(pages)) do
  answers[i] = read(unpack(page))
end
return answers
