"""Priorities without starvation: some jobs are taken for their age."""

from __future__ import annotations

# Shares are added up as floats: what is nearer than this to a whole number is meant to be one.
_NEAR = 1e-6


class Aging:
    """Counts how many of the next jobs are to be taken for their age.

    Args:
        share: The share of jobs, 0 to 1, of which that holds.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._due = 0.0

    def of(self, count: int) -> int:
        """How many, of so many jobs that are asked for."""
        return min(int(self._due + count * self._share + _NEAR), count)

    def took(self, count: int, aged: int) -> None:
        """So many jobs came, when so many were to be taken for their age; who found none saves nothing up."""
        self._due = min(max(self._due + count * self._share - aged, 0.0), 1.0)
