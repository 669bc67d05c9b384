"""Limits of time, and jobs that are cancelled, where handlers run in children."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fault.isolation import depending
from tests.fault.isolation.conftest import PATIENCE, children
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from tests.support.program import Program
from toril import Cancellation, Job, JobFailed, JobTimeout, Queue, Worker

LIMIT = 0.3
GRACE = 0.1

Notes = Callable[[], list[str]]

WORKER = """
import asyncio, sys
from tests.fault.isolation import depending, handlers
from toril import Worker

async def main():
    routes = {
        "hangs": depending.hangs,
        "hangs_on_loop": depending.hangs_on_loop,
        "listens": depending.listens,
        "waits_for_token": depending.waits_for_token,
        "has_thread_wait_for_token": depending.has_thread_wait_for_token,
        "stubborn": handlers.stubborn,
        "pid": depending.pid,
    }
    options = {"isolation": "process", "cancel_grace": 0.2}
    await Worker("tasks", routes, url=sys.argv[1], prefix=sys.argv[2], **options).run()

asyncio.run(main())
"""


async def reason_of(job: Job) -> str:
    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=PATIENCE)
    return caught.value.reason


async def warm(queue: Queue) -> int:
    """The process of a child that is ready, so that no limit is met by its start."""
    return await (await queue.add("pid")).result(timeout=PATIENCE)


def starter(start_worker: WorkerStarter, handler: Any) -> Callable[..., Any]:
    """A worker with one child, for this handler and for that which warms it up."""

    async def start(**options: Any) -> Worker:
        routes = {"slow": handler, "pid": depending.pid}
        options = {"cancel_grace": GRACE, **options}
        return await start_worker(routes, isolation="process", **options)

    return start


@pytest.mark.parametrize("handler", [depending.hangs_on_loop, depending.listens])
async def test_a_handler_that_hears_of_its_timeout_costs_no_child(
    queue: Queue, start_worker: WorkerStarter, notes: Notes, handler: Any
) -> None:
    worker = await starter(start_worker, handler)(timeout={"slow": LIMIT}, cancel_grace=5)
    failures: list[Any] = []

    def on_failed(job: Job, error: Any, prev: str) -> None:
        failures.append(error)

    worker.on("failed", on_failed)
    child = await warm(queue)
    job = await queue.add("slow")

    assert await reason_of(job) == "timed out after 0.3 s"
    assert await warm(queue) == child
    assert notes()[-2:] == [f"hangs {child}", "rolled back by CancelledError"]
    assert [type(error) for error in failures] == [JobTimeout]
    assert f"in {handler.__name__}" in job.stacktrace[0], "where it was, in the child"


async def test_one_that_does_not_hear_is_ended_with_its_child_and_tried_again(
    queue: Queue, start_worker: WorkerStarter, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    await starter(start_worker, depending.hangs)(timeout={"slow": 1.5})
    child = await warm(queue)
    job = await queue.add("slow", attempts=5)

    another = await job.result(timeout=30)

    assert another != child
    assert not psutil.pid_exists(child)
    hung = notes().index(f"hangs {child}")
    assert notes()[hung + 1] == "rolled back by Terminated", "it could clean up"
    await job.refresh()
    assert job.attempts_made >= 2
    assert all("timed out after 1.5 s" in stack for stack in job.stacktrace)
    assert "goes on though" not in caplog.text, "its slot was never given up"


@pytest.mark.parametrize("handler", [depending.softly, depending.softly_on_loop])
async def test_a_soft_timeout_is_raised_in_the_child(
    queue: Queue, start_worker: WorkerStarter, handler: Any
) -> None:
    await starter(start_worker, handler)(soft_timeout={"slow": LIMIT}, timeout={"slow": 30})
    child = await warm(queue)
    job = await queue.add("slow")

    assert await job.result(timeout=PATIENCE) == [child, "soft timeout after 0.3 s"]
    assert await warm(queue) == child


async def test_a_soft_timeout_that_is_let_out_fails_the_attempt(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await starter(start_worker, depending.lets_it_out)(soft_timeout={"slow": LIMIT})
    child = await warm(queue)
    job = await queue.add("slow")

    assert await reason_of(job) == "soft timeout after 0.3 s"
    assert await warm(queue) == child


async def test_the_hard_timeout_follows_the_soft_one(
    queue: Queue, start_worker: WorkerStarter, notes: Notes
) -> None:
    start = starter(start_worker, depending.deaf_to_soft)
    await start(soft_timeout={"slow": LIMIT}, timeout={"slow": 2 * LIMIT})
    await warm(queue)

    assert await reason_of(await queue.add("slow")) == "timed out after 0.6 s"
    assert notes() == ["soft"]


async def test_a_timeout_before_its_child_is_ready_does_not_start_the_handler(
    queue: Queue, start_worker: WorkerStarter, notes: Notes
) -> None:
    before = children()
    await starter(start_worker, depending.hangs)(timeout={"slow": 0.01})

    assert await reason_of(await queue.add("slow")) == "timed out after 0.01 s"
    child = await warm(queue)
    assert children() - before == {child}
    assert not any(row.startswith("hangs") for row in notes())


async def test_a_soft_timeout_before_its_child_is_ready_waits_for_the_handler(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await starter(start_worker, depending.softly)(soft_timeout={"slow": 0.01})

    assert (await (await queue.add("slow")).result(timeout=PATIENCE))[1:] == ["soft timeout after 0.01 s"]


@pytest.mark.parametrize("handler", [depending.softly, depending.softly_on_loop])
async def test_a_soft_timeout_in_the_pause_before_a_start_waits_for_the_handler(
    queue: Queue, start_worker: WorkerStarter, notes: Notes, handler: Any
) -> None:
    """The first child can't start, so the second one is held back; by then the job is late already."""
    start = starter(start_worker, handler)
    await start(soft_timeout={"slow": 0.01}, on_child_start=depending.fails_at_first)
    job = await queue.add("slow", attempts=2)

    assert (await job.result(timeout=PATIENCE))[1:] == ["soft timeout after 0.01 s"]
    await job.refresh()
    assert ["no model to load" in stack for stack in job.stacktrace] == [True]


@pytest.fixture
async def program(
    url: str, prefix: str, queue: Queue, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Program]:
    """A worker in a process of its own, with a child that is warm."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
    with Program(WORKER, url, prefix) as program:
        await warm(queue)
        yield program


@pytest.mark.parametrize("name", ["hangs_on_loop", "listens", "hangs"])
async def test_a_job_is_cancelled_from_another_process(
    queue: Queue, program: Program, notes: Notes, name: str
) -> None:
    job = await queue.add(name, attempts=5)
    await eventually(lambda: any(row.startswith("hangs") for row in notes()), PATIENCE)
    child = int(notes()[-1].removeprefix("hangs "))

    assert await queue.cancel(job.id) is Cancellation.CANCELLING

    assert await reason_of(job) == "cancelled"
    if name == "hangs":
        assert notes()[-2:] == ["rolled back by Terminated", f"close {child}"]
        assert await warm(queue) != child
    else:
        assert notes()[-1] == "rolled back by CancelledError"
        assert await warm(queue) == child
    await job.refresh()
    assert job.attempts_started == 1


async def test_one_that_ignores_signals_is_killed_when_it_is_cancelled(
    queue: Queue, program: Program
) -> None:
    child = await warm(queue)
    job = await queue.add("stubborn")

    async def sleeper() -> int:
        rows = (await job.logs()).rows
        return int(rows[0].removeprefix("started ")) if rows else 0

    grandchild = psutil.Process(await eventually(sleeper, PATIENCE))
    assert await queue.cancel(job.id) is Cancellation.CANCELLING

    assert await reason_of(job) == "cancelled"
    assert await warm(queue) != child
    await eventually(lambda: not is_alive(grandchild), PATIENCE)


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("name", ["waits_for_token", "has_thread_wait_for_token"])
async def test_a_token_tells_in_a_child(queue: Queue, program: Program, notes: Notes, name: str) -> None:
    job = await queue.add(name)
    await eventually(lambda: notes() and notes()[-1].startswith("hangs"), PATIENCE)

    await queue.cancel(job.id)

    assert await reason_of(job) == "cancelled"
    await eventually(lambda: notes()[-1] == "token True True", PATIENCE)


@pytest.mark.parametrize(
    "handler", [depending.waits_for_token, depending.has_thread_wait_for_token], ids=["thread", "loop"]
)
async def test_a_token_tells_without_a_child(
    queue: Queue, start_worker: WorkerStarter, notes: Notes, handler: Any
) -> None:
    await start_worker(handler)
    job = await queue.add("work")
    await eventually(lambda: notes() and notes()[-1].startswith("hangs"), PATIENCE)

    await queue.cancel(job.id)

    assert await reason_of(job) == "cancelled"
    await eventually(lambda: notes()[-1] == "token True True", PATIENCE)


async def test_a_worker_that_closes_tells_the_token(
    queue: Queue, start_worker: WorkerStarter, notes: Notes
) -> None:
    worker = await start_worker(depending.waits_for_token, isolation="process")
    job = await queue.add("work")
    await eventually(lambda: notes() and notes()[-1].startswith("hangs"), PATIENCE)

    async with asyncio.timeout(4):
        await worker.close(force=True)

    assert notes()[-1] == "token True True"
    assert await job.result(timeout=5) is None, "a handler that ends in order has ended"
