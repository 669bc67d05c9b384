"""Handlers that raise what can't be printed, return what can't be stored, or try to end the program."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, JobFailed, Queue


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")

    __repr__ = __str__


class OddBase(BaseException):
    """Not an `Exception`, as other libraries have some."""


def cyclic() -> Exception:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


ODD_ERRORS: dict[str, Callable[[], BaseException]] = {
    "cancelled": asyncio.CancelledError,
    "exit": lambda: SystemExit(1),
    "interrupt": KeyboardInterrupt,
    "generator exit": GeneratorExit,
    "odd base": lambda: OddBase("odd"),
    "unprintable": Unprintable,
    "surrogates": lambda: ValueError("half a \ud83d sign"),
    "nul": lambda: ValueError("a\0b"),
    "empty": ValueError,
    "huge": lambda: ValueError("x" * 1_000_000),
    "bytes": lambda: ValueError(b"\xff\xfe"),
    "group": lambda: ExceptionGroup("several", [ValueError("a"), KeyError("b")]),
    "cyclic": cyclic,
    "stop": lambda: StopAsyncIteration("stop"),
    "timeout": TimeoutError,
    "memory": MemoryError,
    "recursion": RecursionError,
}


async def is_alive(queue: Queue) -> bool:
    """Whether the worker of a queue still does its work, in each of its slots."""
    jobs = [await queue.add("fine") for _ in range(3)]
    return await asyncio.gather(*(job.result(timeout=5) for job in jobs)) == ["fine"] * 3


@pytest.mark.parametrize("kind", ODD_ERRORS)
async def test_whatever_a_handler_raises_fails_its_job_and_nothing_else(
    queue: Queue, start_worker: WorkerStarter, kind: str
) -> None:
    async def handler(job: Job) -> str:
        if job.name == "odd":
            raise ODD_ERRORS[kind]()
        return job.name

    await start_worker(handler)
    job = await queue.add("odd")

    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=3)
    assert caught.value.reason
    assert await is_alive(queue)


async def test_a_handler_that_cancels_itself_fails_its_job_and_nothing_else(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        task = asyncio.current_task()
        if job.name == "odd" and task is not None:
            task.cancel()
            await asyncio.Event().wait()
        return job.name

    await start_worker(handler)
    job = await queue.add("odd")

    with pytest.raises(JobFailed):
        await job.result(timeout=3)
    assert await is_alive(queue)


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_handler_whose_task_is_cancelled_after_its_end_costs_no_job(
    queue: Queue, start_worker: WorkerStarter, turns: int, concurrency: int
) -> None:
    """Its slot asks for the next job then, or is about to run it."""

    def cancel(task: asyncio.Task[Any], turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(cancel, task, turns - 1)
        else:
            task.cancel()

    async def handler(job: Job) -> str:
        task = asyncio.current_task()
        assert task is not None
        if job.name == "odd":
            cancel(task, turns)
        return job.name

    jobs = [await queue.add(name) for name in ["odd", "fine"] * 10]
    await start_worker(handler, concurrency=concurrency)

    results = await asyncio.gather(*(job.result(timeout=5) for job in jobs))
    assert results == ["odd", "fine"] * 10
    assert await is_alive(queue)


async def test_a_handler_that_ran_into_its_own_timeout_is_tried_again(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        if job.attempts_started == 1:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        return f"start {job.attempts_started}"

    await start_worker(handler)

    assert await (await queue.add("work", attempts=2)).result(timeout=5) == "start 2"


def nested() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


ODD_RESULTS: dict[str, Callable[[], object]] = {
    "an object": object,
    "NaN": lambda: {"a": [1.0, math.nan]},
    "infinity": lambda: math.inf,
    "a cycle": nested,
    "a lone surrogate": lambda: "\ud800",
    "a function": lambda: print,
}


@pytest.mark.parametrize("kind", ODD_RESULTS)
async def test_a_result_without_json_form_fails_the_job(
    queue: Queue, start_worker: WorkerStarter, kind: str
) -> None:
    async def handler(job: Job) -> object:
        return ODD_RESULTS[kind]() if job.name == "odd" else job.name

    await start_worker(handler)
    job = await queue.add("odd")

    with pytest.raises(JobFailed):
        await job.result(timeout=3)
    assert await is_alive(queue)


async def test_a_large_result_is_stored(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> str:
        return "x" * 20_000_000

    await start_worker(handler)
    job = await queue.add("work")

    assert len(await job.result(timeout=20)) == 20_000_000


async def test_a_backoff_strategy_that_raises_fails_the_job_and_nothing_else(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    def strategy(attempts: int, kind: str, error: BaseException, job: Job) -> float:
        raise ZeroDivisionError("in the strategy")

    async def handler(job: Job) -> str:
        if job.name == "odd":
            raise ValueError("broken")
        return job.name

    await start_worker(handler, backoff_strategies={"mine": strategy})
    job = await queue.add("odd", attempts=3, backoff={"type": "mine"})

    with pytest.raises(JobFailed):
        await job.result(timeout=3)
    assert await is_alive(queue)


async def test_a_worker_that_closes_while_a_backoff_strategy_is_asked_gives_its_job_back(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    asked = asyncio.Event()

    async def strategy(attempts: int, kind: str, error: BaseException, job: Job) -> float:
        asked.set()
        await asyncio.Event().wait()
        return 0

    async def handler(job: Job) -> None:
        raise ValueError("broken")

    worker = await start_worker(handler, backoff_strategies={"mine": strategy})
    job = await queue.add("work", attempts=3, backoff={"type": "mine"})
    await asked.wait()

    await worker.close(force=True)

    await job.refresh()
    assert (await job.state(), job.attempts_made) == ("waiting", 0)


async def test_a_listener_that_never_returns_does_not_hold_up_jobs(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        return job.name

    async def never(*facts: object) -> None:
        heard.append(1)
        await release.wait()

    heard: list[int] = []
    release = asyncio.Event()
    worker = await start_worker(handler)
    worker.on("completed", never)
    assert await is_alive(queue)

    await eventually(lambda: len(heard) == 3)
    release.set()


FORGETFUL = """
import asyncio, sys
from toril import Queue, Worker

async def main(url, prefix):
    begun = asyncio.Event()

    async def handler(job):
        begun.set()
        await asyncio.Event().wait()

    await Worker("tasks", handler, url=url, prefix=prefix).start()
    async with Queue("tasks", url=url, prefix=prefix) as queue:
        await queue.add("work")
    await begun.wait()

asyncio.run(main(*sys.argv[1:]))
"""


def test_a_program_ends_though_its_worker_was_not_closed(url: str, prefix: str) -> None:
    program = subprocess.run([sys.executable, "-c", FORGETFUL, url, prefix], timeout=30, check=False)

    assert program.returncode == 0
