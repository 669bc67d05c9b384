--- The event stream of a queue, as it is: what is in it, and what ever was.

--- The latest id, entries ever added ('' if the server does not count), entries, and the first id ('' if none).
local function stream_facts()
  if redis.call('EXISTS', base .. 'events') == 0 then
    return { '0-0', 0, 0, '' }
  end
  local info, facts = redis.call('XINFO', 'STREAM', base .. 'events'), {}
  for i = 1, #info, 2 do
    facts[info[i]] = info[i + 1]
  end
  local first = facts['first-entry']
  return { facts['last-generated-id'], facts['entries-added'] or '', facts['length'], first and first[1] or '' }
end
