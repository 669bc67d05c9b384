"""Pausing a queue, for all workers, or one worker."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from toril import Job, Queue


async def nothing(job: Job) -> None:
    """All done."""


async def test_nothing_is_taken_from_a_paused_queue(queue: Queue, new_worker: WorkerFactory) -> None:
    await queue.pause()
    await queue.add("work")

    assert await queue.is_paused()
    assert await new_worker().get_next_job(block=False) is None


async def test_its_jobs_run_when_it_is_resumed(queue: Queue, start_worker: WorkerStarter) -> None:
    await queue.pause()
    await start_worker(nothing)
    job = await queue.add("work")
    assert await job.state() == "waiting"

    await queue.resume()

    # Sooner than the 5 s after which a worker would look without being told.
    await job.result(timeout=3)
    assert not await queue.is_paused()


async def test_running_jobs_go_on_while_the_queue_is_paused(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> str:
        started.set()
        await go_on.wait()
        return "done"

    await start_worker(handler)
    job = await queue.add("work")
    await started.wait()
    await queue.pause()
    go_on.set()

    assert await job.result(timeout=5) == "done"


async def test_a_paused_worker_takes_nothing(queue: Queue, start_worker: WorkerStarter) -> None:
    ran_by: list[str] = []

    async def note_first(job: Job) -> None:
        ran_by.append("first")

    async def note_second(job: Job) -> None:
        ran_by.append("second")

    first = await start_worker(note_first)
    await start_worker(note_second)
    await first.pause()
    assert first.is_paused
    for _ in range(10):
        await (await queue.add("work")).result(timeout=5)

    assert ran_by == ["second"] * 10


async def test_it_goes_on_where_it_stopped(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(nothing)
    await worker.pause()
    job = await queue.add("work")
    await worker.resume()

    await job.result(timeout=3)
    assert not worker.is_paused


async def test_pausing_a_worker_waits_for_its_running_jobs(queue: Queue, start_worker: WorkerStarter) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await go_on.wait()

    worker = await start_worker(handler)
    job = await queue.add("work")
    await started.wait()
    pausing = asyncio.create_task(worker.pause())
    await eventually(lambda: worker.is_paused)
    assert not pausing.done()
    go_on.set()
    await pausing

    assert await job.state() == "completed"


async def test_or_it_does_not_wait(queue: Queue, start_worker: WorkerStarter) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await go_on.wait()

    worker = await start_worker(handler)
    job = await queue.add("work")
    await started.wait()
    await worker.pause(wait=False)
    assert await job.state() == "active"

    go_on.set()
    await job.result(timeout=5)


async def test_a_worker_may_be_paused_before_it_starts(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker(nothing)
    await worker.pause()
    await worker.start()
    job = await queue.add("work")
    await worker.check_stalled()
    assert await job.state() == "waiting"

    await worker.resume()
    await job.result(timeout=3)


async def test_a_handler_that_waits_for_its_own_end_is_told(queue: Queue, new_worker: WorkerFactory) -> None:
    async def handler(job: Job) -> str:
        with pytest.raises(RuntimeError, match="its own end; give wait=False"):
            await worker.pause()
        await worker.pause(wait=False)
        return "paused"

    worker = new_worker(handler)
    await worker.start()

    assert await (await queue.add("work")).result(timeout=5) == "paused"
    assert worker.is_paused
