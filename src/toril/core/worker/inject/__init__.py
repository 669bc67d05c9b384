"""What handlers are given beside their job: resources of the worker, a logger, a cancel token."""
