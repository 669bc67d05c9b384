"""How a worker is: its counts, the lag of its loop, the memory of its process."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from toril._version import __version__
from toril.core.job import Job
from toril.core.worker.memory import resident_bytes
from toril.core.worker.tally import Tally
from toril.model.duration import ms_to_datetime
from toril.model.growth import SAMPLES, Sample, growth_by_name
from toril.model.worker_status import RunningJob, WorkerStatus

_logger = logging.getLogger(__name__)

# The loop is looked at so often in the time between two heartbeats, and memory each time after some of that.
_LOOKS = 60
_LOOKS_A_SAMPLE = 10
# Rates and lags are told over so many samples.
_OF_LATE = _LOOKS // _LOOKS_A_SAMPLE
# Of more running jobs only those that run longest are told.
_MOST_RUNNING = 20
_MOST_CHARACTERS = 300


class Vitals:
    """Watches a worker from within.

    Args:
        id: Of the worker.
        name: Of the worker.
        interval_ms: Time between two heartbeats.
        now_ms: The clock.

    Attributes:
        tally: Counts what the worker does.
        now_ms: The clock; the store's, once there is one.
    """

    def __init__(self, id: str, name: str | None, interval_ms: int, now_ms: Callable[[], int]) -> None:
        self.tally: Tally = Tally()
        self.now_ms = now_ms
        self._id = id
        self._name = name
        self._pause = interval_ms / 1000 / _LOOKS
        self._started_at: datetime | None = None
        self._lag = 0.0
        self._lags: deque[float] = deque(maxlen=_OF_LATE)
        self._marks: deque[tuple[float, int]] = deque(maxlen=_OF_LATE + 1)
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._growth: dict[str, int] = {}

    async def watch(self) -> None:
        """Look at the loop and at the memory of the process, until cancelled."""
        self._started_at = ms_to_datetime(self.now_ms())
        self._mark()
        loop = asyncio.get_running_loop()
        while True:
            for _ in range(_LOOKS_A_SAMPLE):
                due = loop.time() + self._pause
                await asyncio.sleep(self._pause)
                self._lag = max(self._lag, loop.time() - due)
            self._mark()
            self._sample()

    def _mark(self) -> None:
        self._marks.append((time.monotonic(), self.tally.ended))
        self._lags.append(self._lag)
        self._lag = 0.0

    def _sample(self) -> None:
        self._samples.append(Sample(resident_bytes(), self.tally.take_names()))
        known, self._growth = self._growth, growth_by_name(list(self._samples))
        for name in self._growth.keys() - known.keys():
            _logger.warning(
                "memory grows with each job named %s; its handler may leak",
                name,
                extra={"job_name": name, "bytes_a_job": self._growth[name], "rss": self._samples[-1].rss},
            )

    def _rate(self) -> float:
        if not self._marks:
            return 0.0
        since, ended = self._marks[0]
        return (self.tally.ended - ended) / max(time.monotonic() - since, 0.001)

    def _last_error_at(self, now_ms: int) -> datetime | None:
        if self.tally.error is None:
            return None
        return ms_to_datetime(now_ms - round((time.monotonic() - self.tally.error_at) * 1000))

    def status(
        self, queues: Sequence[str], slots: int, held: int, running: Iterable[Job], health: str
    ) -> WorkerStatus:
        """How the worker is, with what it knows itself."""
        now_ms, tally = self.now_ms(), self.tally
        longest = sorted(running, key=lambda job: job.processed_on_ms or now_ms)[:_MOST_RUNNING]
        return WorkerStatus(
            id=self._id,
            name=self._name,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            queues=tuple(queues),
            slots=slots,
            running=tuple(_running(job, now_ms) for job in longest),
            held=held,
            completed=tally.ended - tally.failed,
            failed=tally.failed,
            rate=round(self._rate(), 3),
            last_error=tally.error[:_MOST_CHARACTERS] if tally.error is not None else None,
            last_error_at=self._last_error_at(now_ms),
            rss=resident_bytes(),
            loop_lag=round(max(self._lag, *self._lags, 0.0), 4),
            growth=self._growth,
            health=health,
            started_at=self._started_at,
            told_at=ms_to_datetime(now_ms),
        )


def _running(job: Job, now_ms: int) -> RunningJob:
    seconds = max(now_ms - (job.processed_on_ms or now_ms), 0) / 1000
    return RunningJob(job.id, job.name, job.queue.name, seconds)
