"""Limits of a whole queue: how many of its jobs run at once, and how many start in a while."""

from __future__ import annotations

import math

from toril.core.inspector import Inspector
from toril.model.checks import check_int
from toril.model.duration import Duration, positive_ms
from toril.model.rate_limit import RateLimiter


class Limits(Inspector):
    """Limits a queue, over all workers of all programs."""

    async def set_global_concurrency(self, concurrency: int) -> None:
        """At most so many jobs of the queue run at once, over all workers. What runs already goes on.

        Jobs that may start now are offered to the workers at once.

        Raises:
            OptionError: It is not a whole number above 0.
        """
        check_int(concurrency, "concurrency", 1)
        await (await self._open()).store.limits.set(self.ref, {"concurrency": concurrency})

    async def get_global_concurrency(self) -> int | None:
        """How many jobs of the queue may run at once; ``None`` for any number."""
        return (await (await self._open()).store.limits.get(self.ref, "concurrency"))[0]

    async def remove_global_concurrency(self) -> None:
        """Let any number of jobs run at once."""
        await (await self._open()).store.limits.set(self.ref, {"concurrency": None})

    async def is_maxed(self) -> bool:
        """Whether as many jobs are active as the global concurrency allows."""
        return await (await self._open()).store.limits.is_maxed(self.ref)

    async def set_global_rate_limit(self, max_jobs: int, duration: Duration) -> None:
        """At most ``max_jobs`` jobs of the queue start in ``duration``, over all workers.

        The window begins with its first job. A worker's own ``limiter`` has the last word about the length
        of the window, the queue about the number.

        Args:
            max_jobs: How many jobs, 1 or more.
            duration: Seconds or timedelta; a millisecond at least.

        Raises:
            OptionError: One of them can't be used.
        Source: rate limiter, BullMQ 6.7.
        """
        check_int(max_jobs, "max_jobs", 1)
        limits = {"max": max_jobs, "duration": positive_ms(duration, "duration")}
        await (await self._open()).store.limits.set(self.ref, limits)

    async def get_global_rate_limit(self) -> RateLimiter | None:
        """The queue's rate limit, its window in seconds; ``None`` if it has none."""
        most, window_ms = await (await self._open()).store.limits.get(self.ref, "max", "duration")
        return None if most is None or window_ms is None else RateLimiter(most, window_ms / 1000)

    async def remove_global_rate_limit(self) -> None:
        """Let jobs start as fast as the workers' own limits allow.

        A worker that waits for the end of a window already does so still.
        """
        await (await self._open()).store.limits.set(self.ref, {"max": None, "duration": None})

    async def rate_limit(self, duration: Duration) -> None:
        """Start no job for so long. Honoured by workers that have a rate limit, as in BullMQ.

        That is a ``limiter`` of their own, or the queue's ``set_global_rate_limit``.

        Args:
            duration: Seconds or timedelta; a millisecond at least.

        Raises:
            OptionError: It can't be used.
        """
        await (await self._open()).store.queues.rate_limit(self.ref, positive_ms(duration, "duration"))

    async def remove_rate_limit_key(self) -> None:
        """Begin a new window with the next job, and end what ``rate_limit`` has begun.

        A worker that waits for the end of a window already does so still.
        """
        await (await self._open()).store.limits.forget_rate(self.ref)

    async def get_rate_limit_ttl(self, max_jobs: int | None = None) -> float | None:
        """For how many seconds the rate limit lets no job start; 0.0 if jobs may start.

        Args:
            max_jobs: How many jobs may start in a window; ``None`` for the queue's own limit.

        Returns:
            If neither says how many, what is left of the window that has begun; ``None`` if none has,
            ``math.inf`` if it has no end.
        """
        if max_jobs is not None:
            check_int(max_jobs, "max_jobs", 1)
        left_ms = await (await self._open()).store.limits.rate_left_ms(self.ref, max_jobs)
        if left_ms < 0:
            return math.inf if left_ms == -1 else None
        return left_ms / 1000
