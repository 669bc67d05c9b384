--- Remove children of a job that have not been run: neither those that are being run nor those that failed.
--- @args    id cursor most
--- @returns the cursor for the next call; `0` when all children were looked at
--- @include "trees"

local call = redis.call

local function may_go(child)
  local child_base, child_id = split_key(child)
  return call('EXISTS', child .. ':lock') == 0 and not call('ZSCORE', child_base .. 'failed', child_id)
end

local function chosen(children)
  local going = {}
  for _, child in ipairs(children) do
    if may_go(child) then
      going[#going + 1] = child
    end
  end
  return going
end

--- Further down too only children that are still pending.
local function pending_of(key)
  return chosen(call('SMEMBERS', key .. ':dependencies'))
end

local page = call('SSCAN', base .. id .. ':dependencies', cursor, 'COUNT', most)
for _, child in ipairs(chosen(page[2])) do
  local child_base, child_id = split_key(child)
  remove_tree(child_base, child_id, base .. id, pending_of)
end
flush_pushes()
return page[1]
