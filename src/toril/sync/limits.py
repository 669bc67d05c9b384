"""Limits of a whole queue, in blocking code."""

from __future__ import annotations

from toril.core.portal import portal
from toril.model.duration import Duration
from toril.model.rate_limit import RateLimiter
from toril.sync.inspector import Inspector


class Limits(Inspector):
    """The part of a queue that limits it; see ``toril.core.limits.Limits``."""

    def set_global_concurrency(self, concurrency: int) -> None:
        """At most so many jobs of the queue run at once, over all workers."""
        portal.call(self._queue.set_global_concurrency(concurrency))

    def get_global_concurrency(self) -> int | None:
        """How many jobs of the queue may run at once; ``None`` for any number."""
        return portal.call(self._queue.get_global_concurrency())

    def remove_global_concurrency(self) -> None:
        """Let any number of jobs run at once."""
        portal.call(self._queue.remove_global_concurrency())

    def is_maxed(self) -> bool:
        """Whether as many jobs are active as the global concurrency allows."""
        return portal.call(self._queue.is_maxed())

    def set_global_rate_limit(self, max_jobs: int, duration: Duration) -> None:
        """At most ``max_jobs`` jobs of the queue start in ``duration``, over all workers."""
        portal.call(self._queue.set_global_rate_limit(max_jobs, duration))

    def get_global_rate_limit(self) -> RateLimiter | None:
        """The queue's rate limit, its window in seconds."""
        return portal.call(self._queue.get_global_rate_limit())

    def remove_global_rate_limit(self) -> None:
        """Let jobs start as fast as the workers' own limits allow."""
        portal.call(self._queue.remove_global_rate_limit())

    def rate_limit(self, duration: Duration) -> None:
        """Start no job for so long."""
        portal.call(self._queue.rate_limit(duration))

    def remove_rate_limit_key(self) -> None:
        """Begin a new window with the next job."""
        portal.call(self._queue.remove_rate_limit_key())

    def get_rate_limit_ttl(self, max_jobs: int | None = None) -> float | None:
        """For how many seconds the rate limit lets no job start."""
        return portal.call(self._queue.get_rate_limit_ttl(max_jobs))
