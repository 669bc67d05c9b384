--- Free the deduplication id of a job, if it is this job that holds it.
--- @args    id deid
--- @returns 1 freed  0 another job holds it, or none
--- An empty `deid` is read from the job.

local call = redis.call
local wanted = deid ~= '' and deid or call('HGET', base .. id, 'deid')
if wanted and call('GET', base .. 'de:' .. wanted) == id then
  return call('DEL', base .. 'de:' .. wanted)
end
return 0
