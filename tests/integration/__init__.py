"""Queues and workers on a real server."""
