"""A plain function as handler: it runs in a thread, and its job waits where others await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from contextvars import ContextVar

import pytest

from tests.support.factories import WorkerStarter
from toril import BlockingJob, Delay, JobFailed, Queue

who = ContextVar("who", default="nobody")


async def test_a_plain_function_runs_in_a_thread_of_its_own(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    def handler(job: BlockingJob) -> str:
        return threading.current_thread().name

    await start_worker(handler)
    name = await (await queue.add("work")).result(timeout=5)

    assert name != threading.current_thread().name
    assert name.startswith("toril-handler")


async def test_several_run_at_the_same_time(queue: Queue, start_worker: WorkerStarter) -> None:
    together = threading.Barrier(4)

    def handler(job: BlockingJob) -> None:
        together.wait(timeout=5)

    await start_worker(handler, concurrency=4)
    jobs = [await queue.add("work") for _ in range(4)]

    assert await asyncio.gather(*(job.result(timeout=5) for job in jobs)) == [None] * 4


async def test_the_job_has_the_same_verbs_without_await(queue: Queue, start_worker: WorkerStarter) -> None:
    def handler(job: BlockingJob) -> list[object]:
        job.update_progress(50)
        job.log("half of it")
        job.update_data({"seen": True})
        return [job.state(), job.logs().rows, job.data]

    await start_worker(handler)
    job = await queue.add("work", {"n": 1})

    assert await job.result(timeout=5) == ["active", ["half of it"], {"seen": True}]
    await job.refresh()
    assert (job.progress, job.data) == (50, {"seen": True})


async def test_it_does_not_hold_up_the_loop(queue: Queue, start_worker: WorkerStarter) -> None:
    release = threading.Event()

    def handler(job: BlockingJob) -> None:
        assert release.wait(timeout=5)

    await start_worker(handler)
    job = await queue.add("work")
    # Were the loop blocked, this would not come back before the handler does.
    assert await queue.add("more")
    release.set()

    assert await job.result(timeout=5) is None


async def test_what_it_raises_fails_the_job(queue: Queue, start_worker: WorkerStarter) -> None:
    def handler(job: BlockingJob) -> None:
        raise LookupError("not in this thread")

    await start_worker(handler)
    job = await queue.add("work")

    with pytest.raises(JobFailed, match="not in this thread"):
        await job.result(timeout=5)
    await job.refresh()
    assert "in handler" in job.stacktrace[0]


@pytest.mark.parametrize("error", [StopIteration("stop"), SystemExit(3), KeyboardInterrupt()])
async def test_even_what_ends_programs_only_fails_the_job(
    queue: Queue, start_worker: WorkerStarter, error: BaseException
) -> None:
    def handler(job: BlockingJob) -> None:
        raise error

    await start_worker(handler)

    with pytest.raises(JobFailed):
        await (await queue.add("work")).result(timeout=5)


async def test_it_can_steer(queue: Queue, start_worker: WorkerStarter) -> None:
    def handler(job: BlockingJob) -> str:
        if job.attempts_started == 1:
            raise Delay(0.01)
        return f"{job.attempts_made} attempts, {job.attempts_started} starts"

    await start_worker(handler)

    assert await (await queue.add("work")).result(timeout=5) == "0 attempts, 2 starts"


async def test_context_variables_are_seen(queue: Queue, start_worker: WorkerStarter) -> None:
    def handler(job: BlockingJob) -> str:
        return who.get()

    who.set("the one who started the worker")
    await start_worker(handler)

    assert await (await queue.add("work")).result(timeout=5) == "the one who started the worker"


async def test_it_may_hand_back_something_to_await(queue: Queue, start_worker: WorkerStarter) -> None:
    async def later() -> str:
        return threading.current_thread().name

    def handler(job: BlockingJob) -> Awaitable[str]:
        return later()

    await start_worker(handler)

    assert await (await queue.add("work")).result(timeout=5) == threading.current_thread().name


async def test_async_methods_and_callable_objects_run_on_the_loop(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    class Handler:
        async def __call__(self, job: object) -> str:
            return threading.current_thread().name

    await start_worker(Handler())

    assert await (await queue.add("work")).result(timeout=5) == threading.current_thread().name
