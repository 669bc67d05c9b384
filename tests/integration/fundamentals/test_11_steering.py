"""A handler says what shall become of its job by what it raises."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.clock import START_MS
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import (
    Delay,
    Job,
    Queue,
    RateLimit,
    RateLimiter,
    Retry,
    ReturnToWait,
    Unrecoverable,
    WaitForChildren,
    Worker,
)
from toril.store.contract import Store

Run = Callable[[BaseException], Awaitable[Job]]


class UnrecoverableError(Exception):
    """Of another library: BullMQ goes by the name."""


@pytest.fixture
def queue(new_queue: QueueFactory, store: Store) -> Queue:
    return new_queue(store=store)


@pytest.fixture
def worker(new_worker: WorkerFactory, store: Store) -> Worker:
    return new_worker(store=store)


@pytest.fixture
def run(queue: Queue, new_worker: WorkerFactory, store: Store) -> Run:
    """Run a job whose handler raises this; the job as it is afterwards."""

    async def run(error: BaseException) -> Job:
        async def handler(job: Job) -> None:
            raise error

        worker = new_worker(handler, store=store)
        await queue.add("work", attempts=3, backoff=7)
        job = await worker.get_next_job(block=False)
        assert job is not None
        await worker.process(job)
        await job.refresh()
        return job

    return run


async def test_unrecoverable_fails_it_whatever_attempts_are_left(run: Run) -> None:
    job = await run(Unrecoverable("the file is broken"))

    assert (await job.state(), job.failed_reason, job.attempts_made) == ("failed", "the file is broken", 1)


async def test_so_does_an_error_of_that_name(run: Run) -> None:
    assert await (await run(UnrecoverableError("no"))).state() == "failed"


async def test_retry_is_a_failed_attempt_with_a_pause_of_your_choice(run: Run) -> None:
    job = await run(Retry("not yet", delay=30))

    assert (await job.state(), job.delay, job.attempts_made) == ("delayed", 30, 1)
    assert job.failed_reason == "not yet"


async def test_retry_without_a_pause_takes_the_jobs_own_backoff(run: Run) -> None:
    assert (await run(Retry())).delay == 7


async def test_retry_may_come_at_once(run: Run) -> None:
    job = await run(Retry(delay=0))

    assert (await job.state(), job.attempts_made) == ("waiting", 1)


async def test_delay_runs_it_later_and_is_no_attempt(run: Run) -> None:
    job = await run(Delay(timedelta(minutes=2)))

    assert (await job.state(), job.delay, job.attempts_made, job.attempts_started) == ("delayed", 120, 0, 1)
    assert job.failed_reason is None


async def test_delay_may_name_an_instant(run: Run) -> None:
    now = datetime.fromtimestamp(START_MS / 1000, UTC)

    assert (await run(Delay(at=now + timedelta(hours=1)))).delay == 3600


async def test_return_to_wait_puts_it_in_front_and_is_no_attempt(
    run: Run, queue: Queue, worker: Worker
) -> None:
    job = await run(ReturnToWait())
    await queue.add("another")
    following = await worker.get_next_job(block=False)

    assert (job.attempts_made, job.failed_reason) == (0, None)
    assert following is not None
    assert following.id == job.id


async def test_rate_limit_stops_the_whole_queue_for_a_while(
    run: Run, queue: Queue, new_worker: WorkerFactory, store: Store
) -> None:
    job = await run(RateLimit(60))
    limited = new_worker(store=store, limiter=RateLimiter(max=100, per=1))

    assert (await job.state(), job.attempts_made) == ("waiting", 0)
    assert await limited.get_next_job(block=False) is None


async def test_wait_for_children_lets_it_run_again_when_they_are_done(
    queue: Queue, new_worker: WorkerFactory, store: Store
) -> None:
    async def handler(job: Job) -> object:
        if job.name == "child":
            return "child's result"
        if values := await job.children_values():
            return list(values.values())
        await queue.add("child", parent=job)
        raise WaitForChildren

    worker = new_worker(handler, store=store)
    parent = await queue.add("parent")
    for expected in ("waiting-children", "waiting", "completed"):
        job = await worker.get_next_job(block=False)
        assert job is not None
        await worker.process(job)
        assert await parent.state() == expected

    await parent.refresh()
    assert parent.return_value == ["child's result"]
    assert parent.attempts_made == 1


async def test_wait_for_children_without_children_goes_on_at_once(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        if job.attempts_started == 1:
            raise WaitForChildren
        return f"started {job.attempts_started} times"

    await start_worker(handler)

    assert await (await queue.add("work")).result(timeout=5) == "started 2 times"


async def test_so_it_does_when_it_is_processed_by_hand(run: Run) -> None:
    job = await run(WaitForChildren())

    assert (await job.state(), job.attempts_made) == ("waiting", 0)


SOON = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "unusable", [Delay(), Delay(1, at=SOON), Delay(-1), Delay(at=SOON.replace(tzinfo=None)), RateLimit(-3)]
)
async def test_a_steer_that_can_not_be_followed_fails_the_job(run: Run, unusable: BaseException) -> None:
    job = await run(unusable)

    assert await job.state() == "failed"
    assert job.failed_reason is not None


async def test_retry_with_a_pause_that_makes_no_sense_fails_the_job(run: Run) -> None:
    assert await (await run(Retry(delay=float("nan")))).state() == "failed"
