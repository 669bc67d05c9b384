"""Jobs that waited too long, or were started too often."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, JobExpired, JobFailed, Queue, ReturnToWait, Worker
from toril.store.contract import Store


@pytest.fixture
async def clocked(store: Store, new_queue: QueueFactory) -> Queue:
    """A queue on the controlled clock."""
    return await new_queue(store=store).ready()


@pytest.fixture
def by_hand(store: Store, new_worker: WorkerFactory, ran: list[str]) -> Worker:
    """A worker on the controlled clock that runs one job at a time."""

    async def handler(job: Job) -> None:
        ran.append(job.name)
        raise ValueError("no luck")

    return new_worker(handler, store=store)


@pytest.fixture
def ran() -> list[str]:
    """The jobs that were run."""
    return []


async def run_next(worker: Worker) -> None:
    job = await worker.get_next_job(block=False)
    assert job is not None
    await worker.process(job)


async def test_a_job_that_waited_too_long_is_not_run(
    clocked: Queue, by_hand: Worker, clock: Clock, ran: list[str]
) -> None:
    failures: list[Any] = []

    def on_failed(job: Job, error: BaseException, prev: str) -> None:
        failures.append(error)

    by_hand.on("failed", on_failed)
    job = await clocked.add("work", expires_in=10, attempts=5)
    clock.forward(10.001)

    await run_next(by_hand)

    await job.refresh()
    assert (await job.state(), job.failed_reason, ran) == ("failed", "expired", [])
    await asyncio.sleep(0)
    assert [type(error) for error in failures] == [JobExpired]


async def test_a_job_may_wait_as_long_as_it_says(
    clocked: Queue, by_hand: Worker, clock: Clock, ran: list[str]
) -> None:
    await clocked.add("work", expires_in=timedelta(seconds=10))
    clock.forward(10)

    await run_next(by_hand)

    assert ran == ["work"]


async def test_the_delay_is_not_counted(
    clocked: Queue, by_hand: Worker, clock: Clock, ran: list[str]
) -> None:
    await clocked.add("in time", delay=100, expires_in=10)
    clock.forward(109)
    await run_next(by_hand)
    late = await clocked.add("late", delay=100, expires_in=10)
    clock.forward(111)
    await run_next(by_hand)

    await late.refresh()
    assert (ran, late.failed_reason) == (["in time"], "expired")


async def test_what_is_too_late_for_the_first_attempt_is_too_late_for_the_next(
    clocked: Queue, by_hand: Worker, clock: Clock, ran: list[str]
) -> None:
    job = await clocked.add("work", expires_in=10, attempts=3, backoff=6)
    await run_next(by_hand)
    clock.forward(6)
    await run_next(by_hand)
    clock.forward(6)
    await run_next(by_hand)

    await job.refresh()
    assert (ran, job.failed_reason) == (["work", "work"], "expired")


async def test_who_awaits_an_expired_job_is_told(queue: Queue, start_worker: WorkerStarter) -> None:
    release = asyncio.Event()

    async def handler(job: Job) -> None:
        if job.name == "blocker":
            await release.wait()

    await start_worker(handler)
    await queue.add("blocker")
    job = await queue.add("work", expires_in=0.02)
    waiting = asyncio.create_task(job.result(timeout=5))
    asyncio.get_running_loop().call_later(0.05, release.set)

    with pytest.raises(JobFailed) as caught:
        await waiting
    assert caught.value.reason == "expired"


async def test_a_job_that_was_started_too_often_fails_without_being_run(
    queue: Queue, new_worker: WorkerFactory, ran: list[str]
) -> None:
    async def handler(job: Job) -> None:
        ran.append(job.id)
        await job.move_to_wait()

    job = await queue.add("work", attempts=10)
    taker = new_worker(None)
    for _ in range(2):
        taken = await taker.get_next_job()
        assert taken is not None
        await taken.move_to_wait()
    worker = new_worker(handler, max_started_attempts=2)
    await run_next(worker)

    await job.refresh()
    assert (await job.state(), ran, job.attempts_started) == ("failed", [], 3)
    assert job.failed_reason == "job started more than allowable limit"


async def test_the_last_start_that_is_allowed_is_the_last_attempt(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> None:
        raise ValueError(f"start {job.attempts_started}")

    await start_worker(handler, max_started_attempts=3)
    job = await queue.add("work", attempts=10)

    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=5)
    assert caught.value.reason == "start 3"


async def test_no_starts_at_most_is_no_bound(queue: Queue, start_worker: WorkerStarter) -> None:
    """As in BullMQ, where 0 says nothing; to take it at its word would fail every job."""

    async def handler(job: Job) -> str:
        if job.attempts_started < 3:
            raise ReturnToWait
        return "done"

    await start_worker(handler, max_started_attempts=0)

    assert await (await queue.add("work")).result(timeout=5) == "done"
