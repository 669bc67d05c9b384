--- The state of a job.
--- @args    id
--- @returns the name of the state, or `unknown`
--- @include "state_of"

return state_of(base, id, 0)
