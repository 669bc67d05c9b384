"""What once went wrong with job schedulers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.schedulers.runs import iterations, run_one
from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, JobSpec, Queue, Worker
from toril.store.contract import Store


async def test_a_run_that_is_tried_again_late_is_not_skipped(
    timed_queue: Queue, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    calls: list[int] = []

    async def second_time(job: Job) -> str:
        calls.append(job.attempts_started)
        if len(calls) == 1:
            raise ValueError("not yet")
        return "done"

    worker = new_worker(second_time, store=store)
    template = JobSpec("t", {}, {"attempts": 2, "backoff": 300})
    first = await timed_queue.upsert_job_scheduler("s", template, every=60, limit=1, missed="skip")
    assert first is not None
    for pause in (0, 300):
        clock.forward(pause)
        job = await worker.get_next_job(block=False)
        assert job is not None
        await worker.process(job)

    await first.refresh()
    assert (first.return_value, calls) == ("done", [1, 2])


async def test_schedulers_at_their_end_do_not_hide_lost_ones(
    timed_queue: Queue, timed_worker: Worker, clock: Clock, database: Database, prefix: str
) -> None:
    for n in range(120):
        await timed_queue.upsert_job_scheduler(f"over{n}", every=60, limit=1)
        await run_one(timed_worker)
    clock.forward(10)
    await timed_queue.upsert_job_scheduler("lost", every=60)
    await run_one(timed_worker)
    [job] = await timed_queue.get_delayed()
    database.command("ZREM", f"{prefix}:tasks:delayed", job.id)
    database.command("DEL", f"{prefix}:tasks:{job.id}")
    clock.forward(200)

    assert await timed_worker.check_schedulers() == ["lost"]


async def test_one_schedule_nobody_understands_does_not_keep_the_others_lost(
    timed_queue: Queue, new_worker: WorkerFactory, store: Store, clock: Clock, database: Database, prefix: str
) -> None:
    worker = new_worker(store=store)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    for id in ("bad", "good"):
        await timed_queue.upsert_job_scheduler(id, every=60)
        await run_one(worker)
    for job in await timed_queue.get_delayed():
        database.command("ZREM", f"{prefix}:tasks:delayed", job.id)
        database.command("ZADD", f"{prefix}:tasks:completed", clock.now_ms(), job.id)
    database.command("HDEL", f"{prefix}:tasks:repeat:bad", "every")
    database.command("HSET", f"{prefix}:tasks:repeat:bad", "pattern", "once in a blue moon")
    clock.forward(200)

    assert await worker.check_schedulers() == ["good"]
    assert len(errors) == 1


async def test_a_broken_schedule_does_not_hold_up_jobs_of_others(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    done: list[str] = []
    errors: list[BaseException] = []

    async def note(job: Job) -> None:
        done.append(job.repeat_job_key or "")

    await queue.pause()
    for n in range(5):
        await queue.upsert_job_scheduler(f"s{n}", every=3600)
    database.command("HSET", f"{prefix}:tasks:repeat:s2", "every", "nan")
    worker = await start_worker(note, concurrency=10)
    worker.on("error", errors.append)
    await queue.resume()

    await eventually(lambda: sorted(done) == [f"s{n}" for n in range(5)])
    assert await queue.get_delayed_count() == 4
    assert len(errors) == 1


@pytest.mark.parametrize("keep", [True, False])
async def test_a_limit_holds_over_starts_of_the_program(
    timed_queue: Queue, timed_worker: Worker, clock: Clock, keep: bool
) -> None:
    template = JobSpec("t", {}, {"remove_on_complete": not keep})
    ran = 0
    for _ in range(3):
        await timed_queue.upsert_job_scheduler("s", template, every=60, limit=2)
        while (job := await timed_worker.get_next_job(block=False)) is not None:
            await timed_worker.complete(job)
            ran += 1
            clock.forward(60)

    assert ran == 2
    assert await timed_queue.upsert_job_scheduler("s", template, every=60, limit=2) is None


@pytest.mark.parametrize("changed", ["start", "offset"])
async def test_another_start_or_phase_moves_the_next_job(
    timed_queue: Queue, clock: Clock, changed: str
) -> None:
    hour = timedelta(hours=1)
    now = clock.now()
    before: dict[str, Any] = {"start": now + 5 * hour} if changed == "start" else {"offset": 600}
    after: dict[str, Any] = {"start": now + 9 * hour} if changed == "start" else {"offset": 1200}
    await timed_queue.upsert_job_scheduler("s", every=3600, **before)
    await timed_queue.upsert_job_scheduler("s", every=3600, **after)

    [job] = await iterations(timed_queue)
    due = now + timedelta(seconds=job.delay)
    assert due == (now + 9 * hour if changed == "start" else now + timedelta(seconds=1200))


async def test_deduplication_of_a_schedule_made_by_others_is_carried_on(
    new_queue: QueueFactory, timed_worker: Worker, store: Store, clock: Clock, database: Database, prefix: str
) -> None:
    queue = new_queue(store=store)
    await queue.upsert_job_scheduler("s", every=60)
    [job] = await iterations(queue)
    opts = f'{{"de":{{"id":"d"}},"repeat":{{"every":60000,"count":1}},"repeatJobKey":"s","jobId":"{job.id}"}}'
    database.command("HSET", f"{prefix}:tasks:{job.id}", "opts", opts)
    await run_one(timed_worker)

    [following] = await queue.get_delayed()
    assert following.deduplication_id == "d"


@pytest.mark.parametrize("damaged", ["repeat:s", "job"])
async def test_a_damaged_schedule_can_be_defined_anew(
    timed_queue: Queue, timed_worker: Worker, database: Database, prefix: str, damaged: str
) -> None:
    template = JobSpec("t", {}, {"attempts": 2})
    job = await timed_queue.upsert_job_scheduler("s", template, every=60, limit=5)
    assert job is not None
    await run_one(timed_worker)
    following = (await timed_queue.get_delayed())[0]
    key = "repeat:s" if damaged == "repeat:s" else following.id
    database.command("HSET", f"{prefix}:tasks:{key}", "opts", "{no json", "finishedOn", "1")

    again = await timed_queue.upsert_job_scheduler("s", template, every=60, limit=5)
    assert again is not None
    assert again.opts["attempts"] == 2
