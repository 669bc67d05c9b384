"""A job that fails is tried again, as often and after such pauses as its options say."""

from __future__ import annotations

import pytest

from tests.support.clock import Clock
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Backoff, Job, JobFailed, Queue, Worker
from toril.store.contract import Store


class Flaky:
    """Fails so many times, then works."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.attempts = 0

    async def __call__(self, job: Job) -> str:
        self.attempts += 1
        if self.attempts <= self.failures:
            raise ConnectionError(f"failure {self.attempts}")
        return f"worked at attempt {self.attempts}"


async def run_one_attempt(worker: Worker) -> Job:
    """Take the next job and run it, as a worker would; the job as it is afterwards."""
    job = await worker.get_next_job(block=False)
    assert job is not None
    await worker.process(job)
    await job.refresh()
    return job


@pytest.fixture
def flaky_worker(new_worker: WorkerFactory, store: Store) -> Worker:
    """A worker that is told when to work, on a clock that is told what time it is."""
    return new_worker(Flaky(failures=9), store=store)


async def test_a_job_is_tried_once_unless_told_otherwise(queue: Queue, start_worker: WorkerStarter) -> None:
    handler = Flaky(failures=1)
    await start_worker(handler)

    with pytest.raises(JobFailed, match="failure 1"):
        await (await queue.add("work")).result(timeout=5)
    assert handler.attempts == 1


async def test_attempts_says_how_often_it_is_tried(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(Flaky(failures=2))

    assert await (await queue.add("work", attempts=3)).result(timeout=5) == "worked at attempt 3"


async def test_it_fails_for_good_after_its_last_attempt(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(Flaky(failures=9))
    job = await queue.add("work", attempts=3)

    with pytest.raises(JobFailed, match="failure 3"):
        await job.result(timeout=5)

    await job.refresh()
    assert (job.attempts_made, job.attempts_started) == (3, 3)
    assert job.failed_reason == "failure 3"
    assert ["failure 1" in job.stacktrace[0], "failure 3" in job.stacktrace[2]] == [True, True]


@pytest.mark.parametrize("kind", ["coroutine", "function"])
async def test_its_traceback_begins_in_the_handler(
    queue: Queue, start_worker: WorkerStarter, kind: str
) -> None:
    async def handler(_: Job) -> None:
        raise LookupError("no shelf")

    def function(_: Job) -> None:
        raise LookupError("no shelf")

    await start_worker(handler if kind == "coroutine" else function)
    job = await queue.add("work")
    with pytest.raises(JobFailed, match="no shelf"):
        await job.result(timeout=5)

    await job.refresh()
    first = job.stacktrace[0].splitlines()[1]
    assert first.startswith(f'  File "{__file__}", line ')


async def test_a_number_as_backoff_is_always_the_same_pause(
    new_queue: QueueFactory, flaky_worker: Worker, store: Store, clock: Clock
) -> None:
    await new_queue(store=store).add("work", attempts=3, backoff=1.5)

    assert (await run_one_attempt(flaky_worker)).delay == 1.5
    assert await flaky_worker.get_next_job(block=False) is None
    clock.forward(1.5)
    assert (await run_one_attempt(flaky_worker)).delay == 1.5


async def test_an_exponential_backoff_doubles(
    new_queue: QueueFactory, flaky_worker: Worker, store: Store, clock: Clock
) -> None:
    await new_queue(store=store).add("work", attempts=9, backoff=Backoff.exponential(1))
    pauses: list[float] = []

    for _ in range(4):
        job = await run_one_attempt(flaky_worker)
        pauses.append(job.delay)
        clock.forward(job.delay)

    assert pauses == [1, 2, 4, 8]


async def test_jitter_makes_a_part_of_the_pause_random(
    new_queue: QueueFactory, flaky_worker: Worker, store: Store, clock: Clock
) -> None:
    await new_queue(store=store).add("work", attempts=9, backoff=Backoff.fixed(10, jitter=0.5))

    for _ in range(5):
        job = await run_one_attempt(flaky_worker)
        assert 5 <= job.delay <= 10
        clock.forward(job.delay)


async def test_a_worker_may_know_a_strategy_of_its_own(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store
) -> None:
    def patience(attempts: int, kind: str, error: BaseException, job: Job) -> float:
        return {"ConnectionError": 7.0}[type(error).__name__] * attempts

    worker = new_worker(Flaky(9), store=store, backoff_strategies={"patience": patience})
    await new_queue(store=store).add("work", attempts=2, backoff=Backoff.custom("patience"))

    assert (await run_one_attempt(worker)).delay == 7


async def test_a_strategy_may_stop_all_further_attempts(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store
) -> None:
    async def never(attempts: int, kind: str, error: BaseException, job: Job) -> None:
        return None

    worker = new_worker(Flaky(9), store=store, backoff_strategies={"never": never})
    await new_queue(store=store).add("work", attempts=5, backoff=Backoff.custom("never"))

    assert await (await run_one_attempt(worker)).state() == "failed"


async def test_a_retry_waits_at_the_end_of_the_line(queue: Queue, start_worker: WorkerStarter) -> None:
    order: list[str] = []

    async def handler(job: Job) -> None:
        order.append(job.name)
        if job.name == "first" and job.attempts_made == 0:
            raise ValueError

    await queue.add("first", attempts=2)
    last = await queue.add("second")
    await start_worker(handler)
    await last.result(timeout=5)
    await (await queue.add("third")).result(timeout=5)

    assert order == ["first", "second", "first", "third"]


async def test_only_the_latest_stacks_are_kept(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(Flaky(failures=9))
    job = await queue.add("work", attempts=4, stack_trace_limit=2)

    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=5)

    await job.refresh()
    assert [stack.splitlines()[-1] for stack in job.stacktrace] == [
        "ConnectionError: failure 3",
        "ConnectionError: failure 4",
    ]
    assert caught.value.reason == "failure 4"
