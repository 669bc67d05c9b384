"""The same as BullMQ does it: the handler moves its job itself, and raises to say that it has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.support.clock import Clock
from tests.support.factories import QueueFactory, WorkerFactory
from toril import (
    DelayedError,
    Job,
    Queue,
    RateLimitError,
    UnrecoverableError,
    WaitingChildrenError,
    WaitingError,
)
from toril.store.contract import Store

Handler = Callable[[Job], Awaitable[None]]
Run = Callable[[Handler], Awaitable[Job]]


@pytest.fixture
def queue(new_queue: QueueFactory, store: Store) -> Queue:
    return new_queue(store=store)


@pytest.fixture
def run(queue: Queue, new_worker: WorkerFactory, store: Store) -> Run:
    async def run(handler: Handler) -> Job:
        worker = new_worker(handler, store=store)
        errors: list[BaseException] = []
        worker.on("error", errors.append)
        await queue.add("work")
        job = await worker.get_next_job(block=False)
        assert job is not None
        await worker.process(job)
        assert errors == []
        await job.refresh()
        return job

    return run


async def test_moved_to_delayed(run: Run, new_worker: WorkerFactory, store: Store, clock: Clock) -> None:
    async def handler(job: Job) -> None:
        await job.move_to_delayed(30)
        raise DelayedError

    job = await run(handler)

    assert (await job.state(), job.delay, job.attempts_made) == ("delayed", 30, 0)
    clock.forward(30)
    assert await new_worker(store=store).get_next_job(block=False) is not None


async def test_moved_to_wait(run: Run) -> None:
    async def handler(job: Job) -> None:
        assert await job.move_to_wait() == 0
        raise WaitingError

    job = await run(handler)

    assert (await job.state(), job.attempts_made) == ("waiting", 0)


async def test_moved_to_waiting_children(run: Run, queue: Queue) -> None:
    async def handler(job: Job) -> None:
        await queue.add("child", parent=job)
        assert await job.move_to_waiting_children()
        raise WaitingChildrenError

    job = await run(handler)

    assert (await job.state(), job.attempts_made) == ("waiting-children", 0)


async def test_there_may_be_no_children_to_wait_for(run: Run) -> None:
    async def handler(job: Job) -> None:
        assert not await job.move_to_waiting_children()

    assert await (await run(handler)).state() == "completed"


async def test_rate_limited(run: Run, queue: Queue) -> None:
    async def handler(job: Job) -> None:
        await queue.rate_limit(60)
        raise RateLimitError

    job = await run(handler)

    assert (await job.state(), job.attempts_made) == ("waiting", 0)


async def test_unrecoverable(run: Run) -> None:
    async def handler(job: Job) -> None:
        raise UnrecoverableError("for good")

    job = await run(handler)

    assert (await job.state(), job.failed_reason) == ("failed", "for good")
