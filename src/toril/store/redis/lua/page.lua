--- Pages of some states, newest first unless `ascending`: ids, and the jobs of the first of them.
--- @args    spans ascending hashes most
--- @returns for each span { { id, fields } of each job, ids whose jobs are still to read, where to go on or -1 }
---
--- A span is { state, first, last, wanted }: so many jobs are wanted of those at these positions, both of which
--- belong to it, and negative ones count from the end. An id without a job leaves no gap: the next one is read.
--- A call reads at most so many `hashes`, and looks at no more than `most` positions.
--- @include "lengths"

local call = redis.call
hashes, most = tonumber(hashes), tonumber(most)

--- A list is newest first; its oldest end is counted backwards.
local function ids_at(state, length, from, to)
  local key = base .. state
  if not lists[state] then
    return call(ascending == '1' and 'ZRANGE' or 'ZREVRANGE', key, from, to)
  elseif ascending ~= '1' then
    return call('LRANGE', key, from, to)
  end
  local backwards, ids = call('LRANGE', key, length - 1 - to, length - 1 - from), {}
  for i = #backwards, 1, -1 do
    ids[#ids + 1] = backwards[i]
  end
  return ids
end

--- Reads jobs as long as there are hashes left to read, and answers the ids that are left.
--- A key that is no hash gives an error in place of a list, which counts as empty.
local function read(ids, jobs)
  local count = math.min(hashes, #ids)
  hashes = hashes - count
  if count == 0 then
    return ids
  end
  for i = 1, count do
    local fields = redis.pcall('HGETALL', base .. ids[i])
    if #fields > 0 then
      jobs[#jobs + 1] = { ids[i], fields }
    end
  end
  local unread = {}
  for i = count + 1, #ids do
    unread[#unread + 1] = ids[i]
  end
  return unread
end

local function page(state, first, last, wanted)
  local length, jobs, unread = length_of(state), {}, {}
  local from = first < 0 and math.max(length + first, 0) or first
  local to = math.min(last < 0 and length + last or last, length - 1)
  while from <= to and #jobs < wanted and #unread == 0 and most > 0 do
    local till = math.min(to, from + math.min(wanted - #jobs, most) - 1)
    unread = read(ids_at(state, length, from, till), jobs)
    most = most - (till - from + 1)
    from = till + 1
  end
  return { jobs, unread, from <= to and #jobs < wanted and from or -1 }
end

local pages = {}
for i, span in ipairs(cmsgpack.unpack(spans)) do
  pages[i] = page(unpack(span))
end
return pages
