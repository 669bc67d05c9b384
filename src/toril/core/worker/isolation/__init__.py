"""Handlers in child processes: a pool of warm children in the worker, and the program that they run."""
