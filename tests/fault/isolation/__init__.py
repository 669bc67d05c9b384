"""Handlers in child processes, and what may go wrong there."""
