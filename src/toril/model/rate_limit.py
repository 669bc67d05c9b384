"""How many jobs of a queue start in a while."""

from __future__ import annotations

from dataclasses import dataclass

from toril.model.duration import Duration


@dataclass(frozen=True, slots=True)
class RateLimiter:
    """At most ``max`` jobs of the queue start in ``per`` seconds (or timedelta), over all workers."""

    max: int
    per: Duration
