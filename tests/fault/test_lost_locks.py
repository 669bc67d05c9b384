"""A job whose lock is lost is told of once, however that is noticed."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, JobError, JobNotFound, LockLost, Queue


@pytest.mark.parametrize(
    ("deleted", "told"), [pytest.param(":lock", LockLost, id="lock"), pytest.param("", JobNotFound, id="job")]
)
async def test_by_a_success_that_is_refused(
    queue: Queue,
    start_worker: WorkerStarter,
    database: Database,
    prefix: str,
    deleted: str,
    told: type[JobError],
) -> None:
    async def handler(job: Job) -> None:
        database.command("DEL", f"{prefix}:tasks:{job.id}{deleted}")

    worker = await start_worker(handler, skip_stalled_check=True)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await queue.add("work")

    await eventually(lambda: errors)
    await worker.close()
    assert [type(error) for error in errors] == [told]


async def test_while_it_runs(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    async def handler(job: Job) -> None:
        database.command("DEL", f"{prefix}:tasks:{job.id}:lock")
        await go_on.wait()

    go_on = asyncio.Event()
    worker = await start_worker(handler, lock_duration=0.2, skip_stalled_check=True)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await queue.add("work")

    await eventually(lambda: errors)
    go_on.set()
    await worker.close()
    assert [type(error) for error in errors] == [LockLost]
