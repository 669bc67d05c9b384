--- A page of the jobs of some states, newest first unless `ascending`.
--- @args    states first last ascending
--- @returns for each state a list of { id, fields }; ids without a job are left out

local call = redis.call
local lists = { wait = true, active = true, paused = true }

--- A list is newest first; its oldest end is counted backwards.
local function ids_of(state)
  local key, from, to = base .. state, tonumber(first), tonumber(last)
  if not lists[state] then
    return call(ascending == '1' and 'ZRANGE' or 'ZREVRANGE', key, from, to)
  end
  if ascending ~= '1' then
    return call('LRANGE', key, from, to)
  end
  local length = call('LLEN', key)
  from = from < 0 and math.max(length + from, 0) or from
  to = to < 0 and length + to or math.min(to, length - 1)
  if from > to then
    return {}
  end
  local backwards, ids = call('LRANGE', key, length - 1 - to, length - 1 - from), {}
  for i = #backwards, 1, -1 do
    ids[#ids + 1] = backwards[i]
  end
  return ids
end

local pages = {}
for i, state in ipairs(cmsgpack.unpack(states)) do
  local page = {}
  for _, id in ipairs(ids_of(state)) do
    local fields = call('HGETALL', base .. id)
    if #fields > 0 then
      page[#page + 1] = { id, fields }
    end
  end
  pages[i] = page
end
return pages
