"""Word of a cancelled job that comes between its being taken and its being run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Cancellation, Job, Queue
from toril.core.worker.schedules import Schedules
from toril.store.redis.jobs import RedisJobs

ran: list[str] = []


async def note(job: Job) -> None:
    ran.append(job.id)


class Gate:
    """Holds up a step of a worker.

    Attributes:
        reached: Set when a job is there.
        open: Lets it through.
    """

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def pass_through(self) -> None:
        self.reached.set()
        await self.open.wait()


@pytest.fixture
def gate() -> Gate:
    ran.clear()
    return Gate()


async def cancelled(queue: Queue, id: str, gate: Gate, database: Database) -> Job:
    """The job, cancelled while it is held up; its worker has heard of that before it goes on."""
    await gate.reached.wait()
    assert await queue.cancel(id) is Cancellation.CANCELLING
    await eventually(lambda: not database.command("KEYS", "*toril:cancel:*"))
    gate.open.set()
    job = await queue.get_job(id)
    assert job is not None
    await eventually(job.is_failed)
    await job.refresh()
    return job


async def test_before_the_worker_knows_that_it_has_the_job(
    queue: Queue, start_worker: WorkerStarter, gate: Gate, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    settle = RedisJobs.settle

    async def late(self: RedisJobs, *args: Any, **options: Any) -> Any:
        settled = await settle(self, *args, **options)
        if settled.taken.jobs:
            await gate.pass_through()
        return settled

    monkeypatch.setattr(RedisJobs, "settle", late)
    await start_worker(note, lock_duration=120)
    job = await queue.add("work", attempts=3)

    job = await cancelled(queue, job.id, gate, database)

    assert (job.failed_reason, ran) == ("cancelled", [])


async def test_while_the_next_job_of_its_schedule_is_made(
    queue: Queue, start_worker: WorkerStarter, gate: Gate, monkeypatch: pytest.MonkeyPatch, database: Database
) -> None:
    advance = Schedules.advance

    async def late(self: Schedules, job: Any) -> None:
        await gate.pass_through()
        await advance(self, job)

    monkeypatch.setattr(Schedules, "advance", late)
    await queue.upsert_job_scheduler("nightly", every=3600)
    await start_worker(note, lock_duration=120)
    await gate.reached.wait()
    (active,) = await queue.get_jobs("active")

    job = await cancelled(queue, active.id, gate, database)

    assert (job.failed_reason, ran) == ("cancelled", [])
    assert len(await queue.get_jobs("delayed")) == 1
