--- Jobs that are cancelled while they run: the mark is BullMQ's for a failure that is put off, so that whoever
--- takes the job next fails it instead of running it.

-- Why a cancelled job fails, in the words of `toril.errors.JobCancelled`.
local CANCELLED = 'cancelled'
