"""Handlers that are told to end, and jobs that are never begun."""
