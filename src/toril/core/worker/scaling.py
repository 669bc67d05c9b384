"""The number of a worker's slots, as it is set or as the work asks for."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable

from toril.core.worker.feeder import Feeder
from toril.core.worker.pool import Pool
from toril.core.worker.settings import read_concurrency
from toril.errors import StoreError
from toril.model.autoscale import LOOKS, Autoscale, Sample, decide
from toril.model.duration import to_ms
from toril.model.job import JobRecord
from toril.store.contract import Store

# Looks at the slots and the event loop for one look at the queues.
_TICKS = 10
# A loop that comes so much too late, in seconds, or of whose time so much is spent, runs no more jobs.
_LATE, _SPENT = 0.1, 0.9
# States whose jobs wait for a slot.
_WAITING = ("wait", "prioritized")


class Meter:
    """How much of the machine's time this process uses, since it was asked last.

    It is to be asked by the thread of the event loop.
    """

    def __init__(self) -> None:
        self._marks = self._read()

    @staticmethod
    def _read() -> tuple[float, float, float]:
        return time.monotonic(), time.thread_time(), time.process_time()

    def is_spent(self) -> bool:
        """Whether the loop, or all threads together, had hardly any time left."""
        before, self._marks = self._marks, self._read()
        passed, loop, process = (now - then for now, then in zip(self._marks, before, strict=True))
        return max(loop, process / (os.cpu_count() or 1)) > _SPENT * passed


class Scaler:
    """Sets the slots of a worker, and has them follow the work if it is told to.

    Args:
        pool: The slots.
        feeders: Those that draw on them.
        told: Called with the new and the old number after a change by itself.
    """

    def __init__(
        self,
        pool: Pool,
        scale: Autoscale | None,
        feeders: Callable[[], Collection[Feeder]],
        told: Callable[[int, int], object],
    ) -> None:
        self.scale = scale
        self._pool = pool
        self._feeders = feeders
        self._told = told
        self._samples: deque[Sample] = deque(maxlen=LOOKS)
        self._rescaled = asyncio.Event()

    def set(self, concurrency: object) -> None:
        """A number of slots, or bounds between which they are scaled.

        Raises:
            OptionError: See ``read_concurrency``.
        """
        slots, self.scale = read_concurrency(concurrency)
        if self.scale is not None:
            slots = max(self.scale.min, min(self._pool.slots, self.scale.max))
        self._resize(slots)
        self._rescaled.set()

    def _resize(self, slots: int) -> None:
        self._samples.clear()
        self._pool.slots = slots
        for feeder in self._feeders():
            feeder.wake()

    async def watch(self, store: Store) -> None:
        """Follow the work until cancelled, whenever that is wanted."""
        while True:
            if self.scale is None:
                self._rescaled.clear()
                await self._rescaled.wait()
                continue
            scale, sample = self.scale, await self._look(store, self.scale)
            if scale is not self.scale:
                # What was seen was meant for other bounds.
                continue
            self._samples.append(sample)
            before, slots = self._pool.slots, decide(scale, self._pool.slots, self._samples)
            if slots != before:
                self._resize(slots)
                self._told(slots, before)

    async def _look(self, store: Store, scale: Autoscale) -> Sample:
        """What happens in the course of one interval."""
        loop, pause = asyncio.get_running_loop(), to_ms(scale.interval, "interval") / 1000 / _TICKS
        meter, busy, late = Meter(), 0, 0.0
        for _ in range(_TICKS):
            due = loop.time() + pause
            await asyncio.sleep(pause)
            late = max(late, loop.time() - due)
            busy = max(busy, self._pool.busy)
        lag = await longest_wait(store, self._feeders()) if busy >= self._pool.slots else 0.0
        return Sample(busy=busy, lag=lag, saturated=late > _LATE or meter.is_spent())


async def longest_wait(store: Store, feeders: Iterable[Feeder]) -> float:
    """For how long the next job has waited, of the queues that let jobs start; in seconds."""
    lags = [0.0]
    for feeder in feeders:
        if feeder.hungry:
            try:
                waiting = await store.queues.page(feeder.queue, _WAITING, 0, 0, ascending=True)
            except StoreError:
                # The feeder tells of it; nothing is known of the lag.
                continue
            lags.extend((store.now_ms() - _ready_ms(job)) / 1000 for job in waiting)
    return max(lags)


def _ready_ms(job: JobRecord) -> int:
    """Since when a job waits, as far as it is stored: a later attempt counts from the one before."""
    delay = job.stored_opts.get("delay", 0)
    due_ms = job.timestamp_ms + (delay if isinstance(delay, int) else 0)
    return max(due_ms, job.processed_on_ms or 0)
