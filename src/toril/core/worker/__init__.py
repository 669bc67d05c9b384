"""The worker: slots that run jobs, a feeder that takes and settles them, duties beside."""
