"""Handlers that cancel something of their own: no worker is stopped, and no slot lost, by that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.factories import WorkerFactory, WorkerStarter
from toril import BlockingJob, Job, JobFailed, Queue


async def cancel_own_task() -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    return "never"


async def cancel_own_task_many_times() -> str:
    task = asyncio.current_task()
    assert task is not None
    for _ in range(3):
        task.cancel()
    await asyncio.sleep(0)
    return "never"


async def await_a_cancelled_task() -> str:
    task = asyncio.create_task(asyncio.sleep(60))
    asyncio.get_running_loop().call_soon(task.cancel)
    await task
    return "never"


async def await_a_cancelled_future() -> str:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.cancel()
    return await future


async def cancelled_in_a_task_group() -> str:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(60)).cancel()
        await cancel_own_task()
    return "never"


async def gathered() -> str:
    await asyncio.gather(cancel_own_task(), asyncio.sleep(0.01))
    return "never"


async def scoped() -> str:
    """What libraries with cancel scopes do: cancel the task, and take that back somewhere above."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        task.uncancel()
    return "done"


async def scope_left_open() -> str:
    """The same, but the task is left as cancelled."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "done"
    return "never"


async def own_timeout() -> str:
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        return "done"
    return "never"


async def failing_task_group() -> str:
    async def fail() -> None:
        raise ValueError("no luck")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.Event().wait()
    except* ValueError:
        pass
    return "done"


FAILING = [
    cancel_own_task,
    cancel_own_task_many_times,
    await_a_cancelled_task,
    await_a_cancelled_future,
    cancelled_in_a_task_group,
    gathered,
]
LASTING = [scoped, scope_left_open, own_timeout, failing_task_group]


async def is_alive(queue: Queue) -> bool:
    """Whether each of two slots still does its work, and does not think that it was cancelled."""
    jobs = [await queue.add("fine") for _ in range(4)]
    return await asyncio.gather(*(job.result(timeout=5) for job in jobs)) == [0] * 4


async def fine(job: Job) -> int:
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


@pytest.mark.parametrize("timeout", [None, 30], ids=["unlimited", "limited"])
@pytest.mark.parametrize("doing", FAILING)
async def test_it_fails_the_job_and_nothing_else(
    queue: Queue, start_worker: WorkerStarter, doing: Callable[[], Awaitable[str]], timeout: float | None
) -> None:
    async def handler(job: Job) -> str:
        return await doing()

    worker = await start_worker({"odd": handler, "fine": fine}, concurrency=2, timeout=timeout)
    job = await queue.add("odd")

    with pytest.raises(JobFailed):
        await job.result(timeout=5)
    assert await is_alive(queue)
    assert worker.is_running


@pytest.mark.parametrize("timeout", [None, 30], ids=["unlimited", "limited"])
@pytest.mark.parametrize("doing", LASTING)
async def test_what_the_handler_deals_with_itself_is_its_own_affair(
    queue: Queue, start_worker: WorkerStarter, doing: Callable[[], Awaitable[str]], timeout: float | None
) -> None:
    async def handler(job: Job) -> str:
        return await doing()

    await start_worker(
        {"odd": handler, "fine": fine}, concurrency=2, timeout=timeout, soft_timeout=timeout and timeout / 2
    )

    assert await (await queue.add("odd")).result(timeout=5) == "done"
    assert await is_alive(queue)


async def test_a_thread_that_raises_it_fails_its_job_and_nothing_else(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    def handler(job: BlockingJob) -> None:
        raise asyncio.CancelledError

    await start_worker({"odd": handler, "fine": fine}, concurrency=2)
    job = await queue.add("odd")

    with pytest.raises(JobFailed):
        await job.result(timeout=5)
    assert await is_alive(queue)


async def test_a_cancellation_that_no_wait_has_raised_reaches_no_other_job(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    async def cancel_and_return(job: Job) -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return "done"

    worker = new_worker({"odd": cancel_and_return, "fine": fine}, concurrency=8)
    jobs = await queue.add_many([("odd" if n % 2 else "fine", n) for n in range(32)])
    await worker.start()

    results = [await job.result(timeout=5) for job in jobs if isinstance(job, Job)]
    assert results == [0, "done"] * 16
