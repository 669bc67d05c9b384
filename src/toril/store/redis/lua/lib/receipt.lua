--- Keeping receipts of adds, and finding them; see `receipt_kept`. Of jobs that existed only the ids are kept:
--- their fields may be large, and are there to be read again.
--- @include "receipt_kept"

--- So many ids that follow one another, from the one after `last` on.
local function ids_from(last, count)
  local ids = {}
  for i = 1, count do
    ids[i] = string.format('%.0f', last + i)
  end
  return ids
end

--- The answer of this very request, if it was carried out before.
local function find_receipt(base, producer, request)
  local receipt = redis.call('GET', base .. 'toril:sent:' .. producer)
  if receipt then
    local known = cmsgpack.unpack(receipt)
    if known[1] == request then
      return known[2] or ids_from(known[3], known[4])
    end
  end
  return nil
end

local function keep_receipt(base, producer, request, answers)
  local kept = {}
  for i, answer in ipairs(answers) do
    kept[i] = type(answer) == 'table' and { answer[1] } or answer
  end
  write_receipt(base, producer, { request, kept })
end
