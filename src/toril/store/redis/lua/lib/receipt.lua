--- A receipt makes an add safe to repeat: what a producer's last call answered, for a minute. A producer
--- has one call under way at a time in each queue, so one short key a producer is enough. Of jobs that
--- existed only the ids are kept: their fields may be large, and are there to be read again.

local RECEIPT_MS = 60000

--- The answer of this very request, if it was carried out before.
local function find_receipt(base, producer, request)
  local receipt = redis.call('GET', base .. 'toril:sent:' .. producer)
  if receipt then
    local known = cmsgpack.unpack(receipt)
    if known[1] == request then
      return known[2]
    end
  end
  return nil
end

local function keep_receipt(base, producer, request, answers)
  local kept = {}
  for i, answer in ipairs(answers) do
    kept[i] = type(answer) == 'table' and { answer[1] } or answer
  end
  redis.call('SET', base .. 'toril:sent:' .. producer, cmsgpack.pack({ request, kept }), 'PX', RECEIPT_MS)
end
