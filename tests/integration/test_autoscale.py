"""Slots that follow the work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Autoscale, Job, Queue
from toril.model.autoscale import Sample, decide

SCALE = Autoscale(2, 24, target=0.05, interval=0.05)


class Looks:
    """Counts how often a worker has looked whether its slots will do."""

    def __init__(self) -> None:
        self.count = 0

    def decide(self, scale: Autoscale, slots: int, samples: Sequence[Sample]) -> int:
        self.count += 1
        return decide(scale, slots, samples)

    async def more(self, count: int) -> None:
        """Wait until so many looks more are done."""
        enough = self.count + count
        await eventually(lambda: self.count >= enough)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """The looks of all workers of this process."""
    looks = Looks()
    monkeypatch.setattr("toril.core.worker.scaling.decide", looks.decide)
    return looks


class Crowd:
    """A handler that holds its jobs until it is told to let go, and the most that it held."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.gate = asyncio.Event()

    async def __call__(self, job: Job) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        self.running -= 1


async def test_slots_grow_while_jobs_wait_and_shrink_when_they_are_idle(
    queue: Queue, new_worker: WorkerFactory, looks: Looks
) -> None:
    crowd = Crowd()
    worker = new_worker(crowd, concurrency=SCALE)
    told: list[tuple[int, int]] = []

    def note(slots: int, before: int) -> None:
        told.append((slots, before))

    worker.on("scaled", note)
    await worker.start()
    await looks.more(4)
    assert (worker.concurrency, told) == (2, [])

    await queue.add_many([("work", None)] * 40)
    await eventually(lambda: crowd.running == 24)
    assert worker.concurrency == 24
    assert told[-1][0] == 24

    crowd.gate.set()
    await eventually(lambda: worker.concurrency == 2)
    assert crowd.most == 24
    assert [before for _, before in told] == [2, *[slots for slots, _ in told[:-1]]]


async def test_it_grows_no_more_than_is_needed(
    queue: Queue, start_worker: WorkerStarter, looks: Looks
) -> None:
    """Nobody waits for long: the slots that are there will do."""

    async def quick(job: Job) -> None:
        await asyncio.sleep(0.001)

    worker = await start_worker(quick, concurrency=Autoscale(1, 50, target=5, interval=0.05))
    for _ in range(10):
        await queue.add_many([("work", None)] * 20)
        await looks.more(1)

    await eventually(lambda: completed(queue, 200))
    assert worker.concurrency == 1


async def completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count


async def test_a_loop_that_is_busy_all_the_time_gets_no_more_jobs_at_once(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def hog(job: Job) -> None:
        until = time.monotonic() + 0.12
        while time.monotonic() < until:
            pass

    await queue.add_many([("work", None)] * 12)
    worker = await start_worker(hog, concurrency=SCALE)
    await eventually(lambda: completed(queue, 12), timeout=20)

    assert worker.concurrency == 2


async def test_a_paused_queue_is_no_reason_to_grow(
    new_queue: QueueFactory, start_worker: WorkerStarter, looks: Looks
) -> None:
    crowd = Crowd()
    full, paused = new_queue("full"), new_queue("paused")
    await paused.add_many([("work", None)] * 50)
    await paused.pause()
    await full.add_many([("work", None)] * 2)
    worker = await start_worker(crowd, ["full", "paused"], concurrency=SCALE)
    await eventually(lambda: crowd.running == 2)
    await looks.more(6)
    assert worker.concurrency == 2

    await paused.resume()
    await eventually(lambda: worker.concurrency == 24)


@pytest.mark.parametrize("slots", [3, 9])
async def test_a_number_ends_it(queue: Queue, start_worker: WorkerStarter, looks: Looks, slots: int) -> None:
    crowd = Crowd()
    await queue.add_many([("work", None)] * 40)
    worker = await start_worker(crowd, concurrency=SCALE)
    worker.concurrency = slots
    await eventually(lambda: crowd.running == slots)
    # Nobody looks at these slots any more; another worker's looks tell that there was time to.
    await start_worker(crowd, "other", concurrency=SCALE)
    await looks.more(12)
    assert crowd.running == worker.concurrency == slots

    worker.concurrency = (2, 5)
    assert worker.concurrency == min(slots, 5)


async def test_a_worker_tells_for_how_long_the_next_job_waits(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    crowd = Crowd()
    worker = new_worker(crowd)
    assert await worker.lag() == 0
    await worker.start()
    assert await worker.lag() == 0
    await queue.add_many([("work", None)] * 2)

    async def lags() -> bool:
        return await worker.lag() > 0.05

    await eventually(lags)
    crowd.gate.set()
    await eventually(lambda: completed(queue, 2))
    assert await worker.lag() == 0
