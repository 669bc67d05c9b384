"""Jobs in children that are cancelled: told first, ended by force after the time of grace."""

from __future__ import annotations

import asyncio
from typing import Any

import psutil
import pytest

from tests.fault.isolation import handlers
from tests.fault.isolation.conftest import PATIENCE, is_gone
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, Queue, Worker
from toril.core.worker.isolation.options import ChildOptions
from toril.core.worker.isolation.pool import ChildPool


async def started(job: Job) -> int:
    """The number that a handler has logged when it started."""

    async def row() -> str:
        rows = (await job.logs()).rows
        return rows[0] if rows else ""

    return int((await eventually(row, PATIENCE)).removeprefix("started "))


async def rows_of(job: Job) -> list[str]:
    return (await job.logs()).rows[1:]


async def taken_job(queue: Queue, worker: Worker) -> Job:
    await queue.add("work")
    job = await worker.get_next_job()
    assert job is not None
    return job


@pytest.fixture
async def lone(new_worker: Any) -> Worker:
    """A worker that takes jobs by hand."""
    return new_worker()


async def cancelled(pool: ChildPool, handler: Any, job: Job) -> tuple[asyncio.Task[Any], int]:
    """A run that was cancelled after its handler had started."""
    run = asyncio.create_task(pool.run(pool.add(handler, "handler"), job))
    number = await started(job)
    run.cancel()
    return run, number


async def test_a_plain_handler_looks_whether_it_is_cancelled_and_may_still_answer(
    queue: Queue, lone: Worker
) -> None:
    pool = ChildPool(ChildOptions())
    job = await taken_job(queue, lone)
    run, pid = await cancelled(pool, handlers.patient, job)

    assert await run == "ended in order"
    assert await rows_of(job) == ["told"]
    assert psutil.pid_exists(pid), "the child is as good as before"
    await pool.close()
    assert not psutil.pid_exists(pid)


async def test_an_async_handler_meets_a_cancelled_error(queue: Queue, lone: Worker) -> None:
    pool = ChildPool(ChildOptions())
    job = await taken_job(queue, lone)
    run, pid = await cancelled(pool, handlers.cancellable, job)

    with pytest.raises(asyncio.CancelledError):
        await run
    assert await rows_of(job) == ["told"]
    assert psutil.pid_exists(pid)
    await pool.close()


async def test_a_handler_that_does_not_look_is_ended_but_may_clean_up(queue: Queue, lone: Worker) -> None:
    pool = ChildPool(ChildOptions(grace=0.1))
    job = await taken_job(queue, lone)
    run, pid = await cancelled(pool, handlers.deaf, job)

    with pytest.raises(asyncio.CancelledError):
        await run
    assert not psutil.pid_exists(pid), "the slot is not free before the child is gone"
    assert await rows_of(job) == ["cleaned up"]
    await pool.close()


async def test_a_handler_that_ignores_all_signals_is_killed_with_what_it_has_started(
    queue: Queue, lone: Worker
) -> None:
    pool = ChildPool(ChildOptions(grace=0.1))
    job = await taken_job(queue, lone)
    run, sleeper = await cancelled(pool, handlers.stubborn, job)

    with pytest.raises(asyncio.CancelledError):
        await run
    await eventually(lambda: is_gone(sleeper), PATIENCE)
    await pool.close()


async def test_what_a_handler_has_started_ends_with_a_child_that_heeds_the_signal(
    queue: Queue, lone: Worker
) -> None:
    pool = ChildPool(ChildOptions(grace=0.1))
    job = await taken_job(queue, lone)
    run, sleeper = await cancelled(pool, handlers.starts_a_program, job)

    with pytest.raises(asyncio.CancelledError):
        await run
    await eventually(lambda: is_gone(sleeper), PATIENCE)
    await pool.close()


async def test_who_is_cancelled_twice_does_not_wait(queue: Queue, lone: Worker) -> None:
    pool = ChildPool(ChildOptions(grace=60))
    job = await taken_job(queue, lone)
    run, sleeper = await cancelled(pool, handlers.stubborn, job)
    await asyncio.sleep(0)
    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(run), 5)
    await eventually(lambda: is_gone(sleeper), PATIENCE)
    await pool.close()


async def test_a_run_that_is_cancelled_before_its_child_is_ready_leaves_nothing(
    queue: Queue, lone: Worker
) -> None:
    pool = ChildPool(ChildOptions())
    job = await taken_job(queue, lone)
    number = pool.add(handlers.cancellable, "handler")
    for turns in range(0, 12, 3):
        run = asyncio.create_task(pool.run(number, job))
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    await pool.close()


async def test_a_worker_that_closes_at_once_gives_the_job_back_when_its_child_is_done(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(handlers.deaf, isolation="process", cancel_grace=0.1)
    job = await queue.add("work")
    pid = await started(job)

    await worker.close(force=True)

    assert not psutil.pid_exists(pid)
    assert await job.state() == "waiting"
    assert await rows_of(job) == ["cleaned up"]
    await job.refresh()
    assert job.attempts_made == 0
