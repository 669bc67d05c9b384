--- Jobs by their ids.
--- @args    ids
--- @returns { id, fields } of each one that is there

local jobs = {}
for _, id in ipairs(cmsgpack.unpack(ids)) do
  -- A key that is no hash gives an error in place of a list, which counts as empty.
  local fields = redis.pcall('HGETALL', base .. id)
  if #fields > 0 then
    jobs[#jobs + 1] = { id, fields }
  end
end
return jobs
