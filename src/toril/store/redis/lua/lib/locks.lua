--- The lock of an active job: a string key that holds the token of who runs it.

--- The token in the key of a lock; false if there is none, or something that is no lock at all.
local function token_in(key)
  local token = redis.pcall('GET', key)
  return type(token) == 'string' and token
end

--- Give up the lock. Token '0' means that none is needed. Answers 0, or -2 (no lock) or -6 (another's).
local function release_lock(base, id, token)
  if token == '0' then
    return 0
  end
  local key = base .. id .. ':lock'
  local held = token_in(key)
  if held == token then
    redis.call('DEL', key)
    redis.call('SREM', base .. 'stalled', id)
    return 0
  end
  return held and -6 or -2
end
