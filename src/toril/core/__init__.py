"""What a user of the queue holds: Queue, Job, Worker."""
