"""What a soak is to be like."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What a soak is to be like.

    Attributes:
        seed: Of whatever is left to chance.
        rate: Calls of ``add`` in a second.
        long_share: The share of jobs that take longer than a stop lets them.
        pauses: The shortest and the longest time between two troubles, in seconds.
    """

    seed: str
    rate: float = 20.0
    long_share: float = 0.05
    pauses: tuple[float, float] = (1.0, 5.0)
