"""A job may have to wait for its time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from tests.support.clock import START_MS, Clock
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, Queue, Worker
from toril.store.contract import Store

NOW = datetime.fromtimestamp(START_MS / 1000, UTC)


async def nothing(job: Job) -> None:
    """All done."""


async def due_after(seconds: float, worker: Worker, clock: Clock) -> bool:
    """Whether there is nothing to take until so many seconds have passed, and then something."""
    clock.forward(seconds - 0.001)
    early = await worker.get_next_job(block=False)
    clock.forward(0.001)
    return early is None and await worker.get_next_job(block=False) is not None


async def test_a_delay_is_a_number_of_seconds(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    job = await new_queue(store=store).add("work", delay=2.5)

    assert (job.delay, await job.state()) == (2.5, "delayed")
    assert await due_after(2.5, new_worker(store=store), clock)


async def test_a_delay_may_be_a_timedelta(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    await new_queue(store=store).add("work", delay=timedelta(minutes=5))

    assert await due_after(300, new_worker(store=store), clock)


async def test_a_job_may_be_due_at_an_instant(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    await new_queue(store=store).add("work", at=NOW + timedelta(hours=1))

    assert await due_after(3600, new_worker(store=store), clock)


async def test_an_instant_in_the_past_is_now(new_queue: QueueFactory, store: Store) -> None:
    job = await new_queue(store=store).add("work", at=NOW - timedelta(days=1))

    assert await job.state() == "waiting"


async def test_jobs_come_due_in_order(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    queue, worker = new_queue(store=store), new_worker(store=store)
    for name, delay in (("third", 3), ("first", 1), ("second", 2), ("second too", 2)):
        await queue.add(name, delay=delay)
    clock.forward(10)

    order = [job.name for _ in range(4) if (job := await worker.get_next_job(block=False))]

    assert order == ["first", "second", "second too", "third"]


async def test_a_worker_comes_back_in_time(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(nothing)
    job = await queue.add("work", delay=0.1)
    await job.result(timeout=5)
    await job.refresh()

    assert job.processed_on_ms is not None
    lateness_ms = job.processed_on_ms - job.timestamp_ms - 100
    # The bound is far above what it takes and far below the 5 s after which a worker looks anyway.
    assert 0 <= lateness_ms < 1000


async def test_a_sooner_job_is_not_held_up_by_a_later_one(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(nothing)
    late = await queue.add("late", delay=60)
    soon = await queue.add("soon", delay=0.05)

    await soon.result(timeout=3)

    assert await late.state() == "delayed"


async def test_many_delayed_jobs_all_run(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(nothing, concurrency=10)
    jobs = [await queue.add("work", delay=0.01 * (number % 5)) for number in range(50)]

    await asyncio.gather(*(job.result(timeout=10) for job in jobs))

    assert await queue.get_completed_count() == 50
