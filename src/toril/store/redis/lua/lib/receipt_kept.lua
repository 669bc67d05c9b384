--- A receipt makes an add safe to repeat: what a producer's last call answered, for a minute. A producer
--- has one call under way at a time in each queue, so one short key a producer is enough.
--- It holds the request and the answers, or, if they are ids that follow one another, the one before the first
--- and how many they are.

local RECEIPT_MS = 60000

local function write_receipt(base, producer, receipt)
  redis.call('SET', base .. 'toril:sent:' .. producer, cmsgpack.pack(receipt), 'PX', RECEIPT_MS)
end
