--- What version 4 of BullMQ left in the lists that jobs wait in: an entry that is no job.

local function is_marker(id)
  return string.sub(id or '', 1, 2) == '0:'
end
