--- Some members of a set or fields of a hash, by their places in a scan.
--- @args    name cursor offset first last
--- @returns cursor, places passed, { member, value of a field } of those from `first` to `last`, how many in all

local call = redis.call
local key = base .. name
local kind = call('TYPE', key).ok
if kind ~= 'set' and kind ~= 'hash' then
  return { '0', 0, {}, 0 }
end
offset, first, last = tonumber(offset), tonumber(first), tonumber(last)
local width = kind == 'hash' and 2 or 1

local found, rounds = {}, 0
repeat
  local reply = call(kind == 'hash' and 'HSCAN' or 'SSCAN', key, cursor, 'COUNT', 100)
  cursor, rounds = reply[1], rounds + 1
  for i = 1, #reply[2], width do
    if offset >= first and offset <= last then
      found[#found + 1] = { reply[2][i], width == 2 and reply[2][i + 1] or nil }
    end
    offset = offset + 1
  end
until cursor == '0' or offset > last or rounds == 5
return { cursor, offset, found, call(kind == 'hash' and 'HLEN' or 'SCARD', key) }
