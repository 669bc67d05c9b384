--- Some children of a job of a tree that goes, and which of them have children of their own.
--- @args    key kind cursor most unrun
--- @returns next cursor, `0` at the end; for each child { key, base, 1 if it runs, how many children it has }
--- `unrun`: only children that may go as never run, and of theirs only the pending ones count.
--- @include "parents"

local call = redis.call
local SCANS = { dependencies = 'SSCAN', processed = 'HSCAN', failed = 'HSCAN', unsuccessful = 'ZSCAN' }
local COUNTS = { dependencies = 'SCARD', processed = 'HLEN', failed = 'HLEN', unsuccessful = 'ZCARD' }

local function count_children(child)
  if unrun == '1' then
    return call('SCARD', child .. ':dependencies')
  end
  local count = 0
  for group, command in pairs(COUNTS) do
    count = count + call(command, child .. ':' .. group)
  end
  return count
end

local function may_go(child_base, child_id, runs)
  return unrun == '0' or (runs == 0 and not call('ZSCORE', child_base .. 'failed', child_id))
end

local page = call(SCANS[kind], key .. ':' .. kind, cursor, 'COUNT', most)
local found = {}
-- Hashes and sorted sets come with values.
for i = 1, #page[2], kind == 'dependencies' and 1 or 2 do
  local child = page[2][i]
  local child_base, child_id = split_key(child)
  local runs = call('EXISTS', child .. ':lock')
  if may_go(child_base, child_id, runs) then
    found[#found + 1] = { child, child_base, runs, count_children(child) }
  end
end
return { page[1], found }
