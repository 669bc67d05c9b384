--- The locks of jobs.
--- @args    ids
--- @returns for each id { token, ms until it expires }, or false if the job is not locked
--- @include "locks"

local call = redis.call

local locks = {}
for i, id in ipairs(cmsgpack.unpack(ids)) do
  local key = base .. id .. ':lock'
  local token = token_in(key)
  locks[i] = token and { token, call('PTTL', key) }
end
return locks
