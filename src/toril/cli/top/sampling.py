"""Taking samples of queues: counts by asking, rates by following their events, times from finished jobs."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from toril import Event, Job, Queue, QueueEvents
from toril.cli.connection import Connected
from toril.cli.top.sample import QueueSample, RunningJob, Sample, percentiles
from toril.cli.workers import workers_of
from toril.model.job import JobRecord

# Seconds over which rates are taken.
_WINDOW = 5.0
# Finished jobs that times are read from, the latest, and running jobs that are shown of a queue.
_FINISHED, _RUNNING = 100, 20
# Seconds between looks for new queues, which go through the server's keys.
_LOOK_FOR_QUEUES = 15.0

_COUNTED = ("added", "completed", "failed")


class _Followed:
    """A queue whose events are counted."""

    def __init__(self, server: Connected, name: str) -> None:
        self.queue: Queue = server.queue(name)
        self._events = QueueEvents(name, store=server.store, prefix=server.prefix)
        self._told: dict[str, int] = dict.fromkeys(_COUNTED, 0)
        self._seen: deque[tuple[float, dict[str, int], bool]] = deque()
        self._gap = False
        for event in _COUNTED:
            self._events.on(event, self._count)
        self._events.on("gap", self._miss)

    def _count(self, event: Event) -> None:
        self._told[event.name] += 1

    def _miss(self, _: Event) -> None:
        self._gap = True

    async def start(self) -> Self:
        await self._events.ready()
        self._seen.append((time.monotonic(), dict(self._told), False))
        return self

    async def close(self) -> None:
        await self._events.close()

    def rates(self) -> tuple[dict[str, float], bool]:
        """Events a second since the beginning of the window, and whether some were missed in it."""
        now = time.monotonic()
        self._seen.append((now, dict(self._told), self._gap))
        self._gap = False
        while len(self._seen) > 2 and self._seen[1][0] <= now - _WINDOW:
            self._seen.popleft()
        began, before, _ = self._seen[0]
        elapsed = max(now - began, 0.001)
        rates = {event: (self._told[event] - before[event]) / elapsed for event in _COUNTED}
        return rates, any(gap for _, _, gap in self._seen)


class Sampler:
    """Takes samples of some queues, or of all that there are and that come."""

    def __init__(self, server: Connected, names: Sequence[str]) -> None:
        self._server = server
        self._names = list(names)
        self._followed: dict[str, _Followed] = {}
        self._looked = float("-inf")

    async def __aenter__(self) -> Self:
        try:
            await self._look_for_queues()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await asyncio.gather(*(followed.close() for followed in self._followed.values()))

    async def _look_for_queues(self) -> None:
        if time.monotonic() < self._looked + _LOOK_FOR_QUEUES:
            return
        names = self._names or await self._server.names()
        for name in names:
            if name not in self._followed:
                self._followed[name] = await _Followed(self._server, name).start()
        for name in self._followed.keys() - set(names):
            await self._followed.pop(name).close()
        self._looked = time.monotonic()

    async def sample(self) -> Sample:
        """A sample of now.

        Raises:
            StoreUnavailable: The server does not answer.
        """
        await self._look_for_queues()
        followed = [self._followed[name] for name in sorted(self._followed)]
        queues = await asyncio.gather(*map(_sample, followed))
        active = await asyncio.gather(*(one.queue.get_active(0, _RUNNING - 1) for one in followed))
        now = datetime.now(UTC)
        running = [_running(job, now) for jobs in active for job in jobs]
        return Sample(at=now, queues=queues, running=sorted(running, key=lambda job: -job.age))


async def _sample(followed: _Followed) -> QueueSample:
    queue = followed.queue
    finished = await queue.get_completed(0, _FINISHED - 1)
    rates, partial = followed.rates()
    return QueueSample(
        name=queue.name,
        paused=await queue.is_paused(),
        counts=await queue.get_job_counts(),
        rates=rates,
        partial=partial,
        wait=percentiles([wait for job in finished if (wait := waited(job)) is not None]),
        run=percentiles([run for job in finished if (run := ran(job)) is not None]),
        workers=await workers_of(queue),
    )


def waited(job: JobRecord) -> float | None:
    """Seconds from when a job could have run to when it was started; ``None`` if that can't be told.

    Of a job that was tried several times only the latest start is known, and of one with children not when
    they were done.
    """
    started, delay = job.processed_on_ms, job.stored_opts.get("delay", 0)
    if started is None or job.attempts_started > 1 or not isinstance(delay, int | float):
        return None
    return max(started - job.timestamp_ms - delay, 0) / 1000


def ran(job: JobRecord) -> float | None:
    """Seconds for which the last attempt ran; ``None`` if that can't be told."""
    started, finished = job.processed_on_ms, job.finished_on_ms
    return None if started is None or finished is None else max(finished - started, 0) / 1000


def _running(job: Job, now: datetime) -> RunningJob:
    age = (now - job.processed_at).total_seconds() if job.processed_at is not None else 0.0
    return RunningJob(
        queue=job.queue_name,
        id=job.id,
        name=job.name,
        age=max(age, 0.0),
        attempt=max(job.attempts_started, 1),
        worker=job.processed_by,
    )
