"""Something else than a lock is at the key of one: it counts as no lock, and harms no other job."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from tests.support.locks import renewed
from toril import Job, LockLost, Queue

# What anybody may write at the key of a lock.
DAMAGES = {"a hash": ("HSET", "field", "value"), "a list": ("RPUSH", "value")}


def damage(database: Database, lock: str, what: str) -> None:
    verb, *words = DAMAGES[what]
    database.command("DEL", lock)
    database.command(verb, lock, *words)


@pytest.fixture(params=DAMAGES)
def what(request: pytest.FixtureRequest) -> str:
    """What is written there."""
    return request.param


@pytest.mark.parametrize("slots", [1, 3])
async def test_a_worker_tells_goes_on_and_closes_soon(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, what: str, slots: int
) -> None:
    async def handler(job: Job) -> str:
        if job.name == "damaged":
            damage(database, f"{prefix}:tasks:{job.id}:lock", what)
        return job.name

    worker = await start_worker(handler, concurrency=slots, skip_stalled_check=True)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    damaged = await queue.add("damaged")

    assert await (await queue.add("next")).result(timeout=5) == "next"
    async with asyncio.timeout(2):
        await worker.close(force=True)
    assert [(type(error), getattr(error, "job_id", "")) for error in errors] == [(LockLost, damaged.id)]


async def test_a_worker_that_is_forced_to_close_does_so_at_once(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, what: str
) -> None:
    async def handler(job: Job) -> None:
        damage(database, f"{prefix}:tasks:{job.id}:lock", what)
        started.set()
        await asyncio.Event().wait()

    started = asyncio.Event()
    worker = await start_worker(handler)
    await queue.add("work")
    await started.wait()

    async with asyncio.timeout(2):
        await worker.close(force=True)
    assert not worker.is_running


async def test_the_locks_of_other_jobs_are_renewed(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, what: str
) -> None:
    async def handler(job: Job) -> str:
        lock = f"{prefix}:tasks:{job.id}:lock"
        if job.name == "damaged":
            damage(database, lock, what)
            await go_on.wait()
            return "lost"
        await eventually(lambda: errors)
        await renewed(database, lock)
        return "held"

    go_on = asyncio.Event()
    worker = await start_worker(handler, concurrency=2, lock_duration=0.4, skip_stalled_check=True)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await queue.add("damaged")
    other = await queue.add("other")

    assert await other.result(timeout=5) == "held"
    assert {type(error) for error in errors} == {LockLost}
    go_on.set()


async def test_the_job_is_found_as_stalled(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, what: str
) -> None:
    runs = 0

    async def handler(job: Job) -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            damage(database, f"{prefix}:tasks:{job.id}:lock", what)
        return runs

    await start_worker(handler, stalled_interval=0.1)

    assert await (await queue.add("work")).result(timeout=5) == 2


async def test_the_job_is_looked_at_and_cancelled_like_one_without_lock(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, what: str
) -> None:
    async def handler(job: Job) -> None:
        damage(database, f"{prefix}:tasks:{job.id}:lock", what)
        started.set()
        await go_on.wait()

    started, go_on = asyncio.Event(), asyncio.Event()
    await start_worker(handler, skip_stalled_check=True)
    job = await queue.add("work")
    await started.wait()

    assert await queue.get_locks([job.id]) == {}
    assert await job.cancel() == "unreachable"
    go_on.set()
