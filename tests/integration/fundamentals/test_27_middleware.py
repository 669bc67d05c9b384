"""Functions around running jobs: they see what goes in and what comes out, and may skip the handler."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.factories import WorkerStarter
from toril import (
    BlockingJob,
    Job,
    JobFailed,
    Queue,
    Retry,
    RunNext,
)

tenant = contextvars.ContextVar("tenant", default="nobody")


async def double(job: Job) -> int:
    return job.data * 2


def double_in_a_thread(job: BlockingJob) -> int:
    return job.data * 2


@pytest.mark.parametrize("handler", [double, double_in_a_thread])
async def test_the_first_is_the_outermost(
    queue: Queue, start_worker: WorkerStarter, handler: Callable[[Any], Any]
) -> None:
    told: list[str] = []

    async def outer(job: Job, call_next: RunNext) -> Any:
        told.append(f"outer, job {job.id}")
        result = await call_next(job)
        told.append(f"outer, {result}")
        return result + 1

    async def inner(job: Job, call_next: RunNext) -> Any:
        told.append(f"inner, job {job.id}")
        result = await call_next(job)
        told.append(f"inner, {result}")
        return result * 10

    await start_worker(handler, middleware=[outer, inner])
    job = await queue.add("double", 2)

    assert await job.result(timeout=5) == 41
    assert told == [f"outer, job {job.id}", f"inner, job {job.id}", "inner, 4", "outer, 40"]


async def test_what_it_raises_fails_the_job_and_not_the_worker(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def refuse_odd(job: Job, call_next: RunNext) -> Any:
        if job.data % 2:
            raise ValueError(f"{job.data} is odd")
        return await call_next(job)

    await start_worker(double, middleware=[refuse_odd])
    with pytest.raises(JobFailed, match="3 is odd"):
        await (await queue.add("double", 3)).result(timeout=5)

    assert await (await queue.add("double", 4)).result(timeout=5) == 8


@pytest.mark.parametrize("panic", [SystemExit, asyncio.CancelledError, GeneratorExit])
async def test_even_a_panic_fails_the_job_alone(
    queue: Queue, start_worker: WorkerStarter, panic: type[BaseException]
) -> None:
    async def panics(job: Job, call_next: RunNext) -> Any:
        if job.data == 1:
            raise panic("no more")
        return await call_next(job)

    await start_worker(double, middleware=[panics])
    with pytest.raises(JobFailed):
        await (await queue.add("double", 1)).result(timeout=5)

    assert await (await queue.add("double", 4)).result(timeout=5) == 8


async def test_it_may_steer_the_job(queue: Queue, start_worker: WorkerStarter) -> None:
    async def once_more(job: Job, call_next: RunNext) -> Any:
        if not job.attempts_made:
            raise Retry(delay=0)
        return await call_next(job)

    await start_worker(double, middleware=[once_more])
    job = await queue.add("double", 2, attempts=2)

    assert await job.result(timeout=5) == 4
    await job.refresh()
    assert job.attempts_made == 2


async def test_it_sees_what_the_handler_raises(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> None:
        raise KeyError(job.id)

    async def soften(job: Job, call_next: RunNext) -> Any:
        try:
            return await call_next(job)
        except KeyError as error:
            return f"no {error.args[0]}"

    await start_worker(handler, middleware=[soften])
    job = await queue.add("work")

    assert await job.result(timeout=5) == f"no {job.id}"


async def test_without_call_next_the_handler_is_skipped(queue: Queue, start_worker: WorkerStarter) -> None:
    ran: list[str] = []

    async def handler(job: Job) -> None:
        ran.append(job.name)

    async def skip(job: Job, call_next: RunNext) -> Any:
        return "skipped" if job.name == "old" else await call_next(job)

    await start_worker(handler, middleware=[skip])
    assert await (await queue.add("old")).result(timeout=5) == "skipped"
    assert await (await queue.add("new")).result(timeout=5) is None
    assert ran == ["new"]


@pytest.mark.parametrize("handler", ["async", "thread"])
async def test_what_it_binds_is_there_for_the_handler_and_gone_for_the_next_job(
    queue: Queue, start_worker: WorkerStarter, handler: str
) -> None:
    async def on_loop(job: Job) -> str:
        return tenant.get()

    def in_thread(job: BlockingJob) -> str:
        return tenant.get()

    async def bind(job: Job, call_next: RunNext) -> Any:
        before = tenant.get()
        if job.data:
            tenant.set(job.data)
        return [before, await call_next(job)]

    await start_worker(on_loop if handler == "async" else in_thread, middleware=[bind])
    first, second = [await queue.add("work", who) for who in ("eve", None)]

    assert await first.result(timeout=5) == ["nobody", "eve"]
    assert await second.result(timeout=5) == ["nobody", "nobody"]


async def test_it_may_bound_the_time_and_call_again(queue: Queue, start_worker: WorkerStarter) -> None:
    calls: list[int] = []

    async def handler(job: Job) -> str:
        calls.append(len(calls))
        if len(calls) == 1:
            await asyncio.Event().wait()
        return "done"

    async def impatient(job: Job, call_next: RunNext) -> Any:
        try:
            return await asyncio.wait_for(call_next(job), 0.01)
        except TimeoutError:
            return await call_next(job)

    await start_worker(handler, middleware=[impatient])

    assert await (await queue.add("work")).result(timeout=5) == "done"
    assert calls == [0, 1]


async def test_what_is_no_job_can_not_be_handed_on(queue: Queue, start_worker: WorkerStarter) -> None:
    async def confused(job: Job, call_next: Any) -> Any:
        return await call_next(job.data)

    await start_worker(double, middleware=[confused])

    with pytest.raises(JobFailed, match="call_next takes the job"):
        await (await queue.add("double", 2)).result(timeout=5)


async def test_jobs_by_name_and_by_hand_go_through_it(queue: Queue, start_worker: WorkerStarter) -> None:
    seen: list[str] = []

    async def see(job: Job, call_next: RunNext) -> Any:
        seen.append(job.name)
        return await call_next(job)

    worker = await start_worker({"double": double}, middleware=[see])
    with pytest.raises(JobFailed, match="there is no handler"):
        await (await queue.add("halve", 2)).result(timeout=5)
    await worker.pause()
    added = await queue.add("double", 2)
    await worker.resume()

    assert await added.result(timeout=5) == 4
    assert seen == ["halve", "double"]
