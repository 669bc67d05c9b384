"""What the user has to hear about instead of a traceback."""

from __future__ import annotations


class Problem(Exception):
    """The demo can't go on; its text says why, and what to do."""
