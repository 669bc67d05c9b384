"""Job schedulers: made, changed, run and removed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.schedulers.runs import iterations, run_one
from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, JobOwnedByScheduler, JobSpec, OptionError, Queue, Worker
from toril.store.contract import Store


async def test_jobs_come_at_an_interval(queue: Queue, start_worker: WorkerStarter) -> None:
    ran: list[tuple[str, Any]] = []

    async def note(job: Job) -> None:
        ran.append((job.name, job.data))

    await start_worker(note)
    first = await queue.upsert_job_scheduler("beat", JobSpec("tick", {"n": 1}), every=0.05)
    assert first is not None
    await eventually(lambda: len(ran) >= 4)

    assert set(map(str, ran)) == {"('tick', {'n': 1})"}
    assert len(await iterations(queue)) <= 1
    scheduler = await queue.get_job_scheduler("beat")
    assert scheduler is not None
    assert scheduler.iteration_count >= 4
    assert await queue.remove_job_scheduler("beat")


async def test_a_cron_line_in_its_zone(timed_queue: Queue, timed_worker: Worker, clock: Clock) -> None:
    # 29 March 2026 has no 02:30 in Berlin, but a 09:00 that is an hour earlier by UTC than the day before.
    clock.set(datetime(2026, 3, 28, 0, 0, tzinfo=UTC))
    await timed_queue.upsert_job_scheduler("daily", cron="0 9 * * *", tz="Europe/Berlin")
    due: list[datetime] = []
    for _ in range(3):
        scheduler = await timed_queue.get_job_scheduler("daily")
        assert scheduler is not None
        due.append(scheduler.next_at)
        clock.set(scheduler.next_at)
        await run_one(timed_worker)

    assert due == [
        datetime(2026, 3, 28, 8, 0, tzinfo=UTC),
        datetime(2026, 3, 29, 7, 0, tzinfo=UTC),
        datetime(2026, 3, 30, 7, 0, tzinfo=UTC),
    ]


async def test_what_a_scheduler_keeps(timed_queue: Queue, clock: Clock) -> None:
    start, end = clock.now() + timedelta(days=1), clock.now() + timedelta(days=9)
    template = JobSpec("report", {"to": "all"}, {"attempts": 3, "priority": 2, "remove_on_complete": 10})
    job = await timed_queue.upsert_job_scheduler(
        "weekly", template, every=timedelta(hours=6), offset=600, start=start, end=end, limit=5
    )
    assert job is not None
    assert (job.name, job.data, job.opts["attempts"], job.repeat_job_key) == (
        "report",
        {"to": "all"},
        3,
        "weekly",
    )

    scheduler = await timed_queue.get_job_scheduler("weekly")
    assert scheduler is not None
    assert (scheduler.every, scheduler.offset, scheduler.limit) == (6 * 3600, 600, 5)
    assert (scheduler.start, scheduler.end) == (start, end)
    assert (scheduler.name, scheduler.data, scheduler.iteration_count) == ("report", {"to": "all"}, 1)
    assert scheduler.options == {"attempts": 3, "priority": 2, "removeOnComplete": 10}
    assert await timed_queue.get_job_scheduler("nobody") is None


async def test_an_offset_of_nothing_is_none(timed_queue: Queue) -> None:
    job = await timed_queue.upsert_job_scheduler("beat", every=60, offset=0)

    assert job is not None
    assert job.opts["repeat"] == {"every": 60_000, "count": 1}


async def test_pages_of_schedulers(timed_queue: Queue) -> None:
    for n in range(5):
        await timed_queue.upsert_job_scheduler(f"s{n}", cron=f"{n} 0 1 1 *", tz="UTC")

    assert await timed_queue.get_job_schedulers_count() == 5
    ids = [one.id for one in await timed_queue.get_job_schedulers(0, 1, ascending=True)]
    assert ids == ["s0", "s1"]
    assert [one.id for one in await timed_queue.get_job_schedulers()] == ["s4", "s3", "s2", "s1", "s0"]
    assert await timed_queue.remove_job_scheduler("s1")
    assert not await timed_queue.remove_job_scheduler("s1")
    assert await timed_queue.get_job_schedulers_count() == 4
    assert len(await iterations(timed_queue)) == 4


async def test_the_same_definition_changes_nothing(
    timed_queue: Queue, clock: Clock, database: Database
) -> None:
    async def define(n: int) -> Job | None:
        template = JobSpec("tick", {"n": n}, {"attempts": 2})
        return await timed_queue.upsert_job_scheduler("beat", template, every=60, offset=5)

    first = await define(1)
    before = database.dump()
    clock.forward(10)
    again = await define(1)

    assert database.dump() == before
    assert first is not None
    assert again is not None
    assert again.id == first.id
    await timed_queue.upsert_job_scheduler(
        "beat", JobSpec("tick", {"n": 2}, {"attempts": 2}), every=60, offset=5
    )
    assert [job.data for job in await iterations(timed_queue)] == [{"n": 2}]


async def test_changing_a_definition_moves_the_next_job(timed_queue: Queue, clock: Clock) -> None:
    await timed_queue.upsert_job_scheduler("s", cron="0 0 1 1 *", tz="UTC")
    await timed_queue.upsert_job_scheduler("s", JobSpec("other"), cron="30 12 * * *", tz="UTC")

    assert [job.name for job in await iterations(timed_queue)] == ["other"]
    await timed_queue.upsert_job_scheduler("s", every=3600)
    assert [job.delay for job in await iterations(timed_queue)] == [0]


async def test_upserts_while_the_queue_is_paused_leave_one_job(timed_queue: Queue) -> None:
    await timed_queue.pause()
    for n in range(3):
        await timed_queue.upsert_job_scheduler("s", JobSpec("tick", n), every=60)

    assert [job.data for job in await iterations(timed_queue)] == [2]


async def test_concurrent_upserts_leave_one_schedule(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queues = [new_queue() for _ in range(8)]
    ran: list[str] = []

    async def note(job: Job) -> None:
        ran.append(job.id)

    await start_worker(note, concurrency=4)

    async def keep_defining(queue: Queue, n: int) -> None:
        for turn in range(20):
            await queue.upsert_job_scheduler("beat", JobSpec("tick", [n, turn]), every=0.1)

    await asyncio.gather(*(keep_defining(queue, n) for n, queue in enumerate(queues)))
    before = len(ran)
    await eventually(lambda: len(ran) >= before + 3)

    assert len(ran) == len(set(ran))
    assert len(await iterations(queues[0])) <= 1
    assert await queues[0].get_job_schedulers_count() == 1


async def test_a_limit_and_an_end(timed_queue: Queue, timed_worker: Worker, clock: Clock) -> None:
    await timed_queue.upsert_job_scheduler("few", every=60, limit=3)
    for _ in range(3):
        await run_one(timed_worker)
        clock.forward(60)
    assert await timed_worker.get_next_job(block=False) is None

    await timed_queue.upsert_job_scheduler("short", every=60, end=clock.now() + timedelta(seconds=90))
    await run_one(timed_worker)
    clock.forward(61)
    await run_one(timed_worker)
    clock.forward(60)
    await run_one(timed_worker)
    assert await iterations(timed_queue) == []
    # Nothing is put back for what has come to its end.
    clock.forward(3600)
    assert await timed_worker.check_schedulers() == []


async def test_a_failed_run_that_is_tried_again_makes_no_second_successor(
    timed_queue: Queue, timed_worker: Worker, clock: Clock
) -> None:
    await timed_queue.upsert_job_scheduler("s", JobSpec("t", {}, {"attempts": 3}), every=60)
    for _ in range(3):
        job = await timed_worker.get_next_job(block=False)
        assert job is not None
        await timed_worker.fail(job, ValueError("no"))

    assert len(await timed_queue.get_delayed()) == 1


async def test_late_runs(timed_queue: Queue, timed_worker: Worker, clock: Clock) -> None:
    await timed_queue.upsert_job_scheduler("once", every=60)
    await run_one(timed_worker)
    clock.forward(600)
    late = await run_one(timed_worker)
    scheduler = await timed_queue.get_job_scheduler("once")

    # The first of the missed runs came late, the others are left out.
    assert scheduler is not None
    assert late.id.endswith(str(clock.now_ms() - 540_000))
    assert scheduler.next_at > clock.now()


async def test_missed_runs_can_be_skipped(
    timed_queue: Queue, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    ran: list[str] = []

    async def note(job: Job) -> str:
        ran.append(job.id)
        return "ran"

    worker = new_worker(note, store=store)
    await timed_queue.upsert_job_scheduler("s", every=60, missed="skip")
    results: list[Any] = []
    # In time, ten minutes late, in time again.
    for pause in (0, 600, 60):
        clock.forward(pause)
        job = await worker.get_next_job(block=False)
        assert job is not None
        await worker.process(job)
        await job.refresh()
        results.append(job.return_value)

    assert results == ["ran", None, "ran"]
    assert len(ran) == 2


@pytest.mark.parametrize("how", ["deleted", "taken by others", "deleted, skipping"])
async def test_a_lost_next_job_is_put_back(
    timed_queue: Queue, timed_worker: Worker, clock: Clock, database: Database, prefix: str, how: str
) -> None:
    missed: Any = "skip" if "skipping" in how else "once"
    await timed_queue.upsert_job_scheduler("s", JobSpec("tick", 7), every=60, missed=missed)
    await run_one(timed_worker)
    [job] = await timed_queue.get_delayed()
    if "deleted" in how:
        database.command("ZREM", f"{prefix}:tasks:delayed", job.id)
        database.command("DEL", f"{prefix}:tasks:{job.id}")
    else:
        database.command("ZREM", f"{prefix}:tasks:delayed", job.id)
        database.command("ZADD", f"{prefix}:tasks:completed", clock.now_ms(), job.id)
    assert await timed_worker.check_schedulers() == []

    clock.forward(95)
    assert await timed_worker.check_schedulers() == ["s"]
    [restored] = await iterations(timed_queue)
    assert (restored.name, restored.data) == ("tick", 7)
    assert (restored.id == job.id) == (how == "deleted")
    clock.forward(60)
    await run_one(timed_worker)
    assert len(await timed_queue.get_delayed()) == 1


async def test_a_running_worker_puts_back_what_is_lost(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    ran: list[str] = []

    async def note(job: Job) -> None:
        ran.append(job.id)

    await queue.upsert_job_scheduler("s", cron="*/1 * * * * *", tz="UTC")
    [job] = await queue.get_delayed()
    database.command("ZREM", f"{prefix}:tasks:delayed", job.id)
    database.command("DEL", f"{prefix}:tasks:{job.id}")
    await start_worker(note, stalled_interval=0.2)

    await eventually(lambda: len(ran) >= 2)
    assert ran[0] == job.id


async def test_a_pattern_of_ones_own(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock, prefix: str
) -> None:
    def in_minutes(after: datetime, repeat: Any, name: str) -> datetime | None:
        return after + timedelta(minutes=int(repeat["pattern"].split()[1]))

    queue = Queue("tasks", store=store, prefix=prefix, repeat_strategy=in_minutes)
    worker = new_worker(store=store, repeat_strategy=in_minutes)
    start = clock.now()
    await queue.upsert_job_scheduler("s", pattern="every 7 minutes")
    clock.forward(420)
    await run_one(worker)

    scheduler = await queue.get_job_scheduler("s")
    assert scheduler is not None
    assert scheduler.next_at == start + timedelta(minutes=14)
    await queue.close()


async def test_a_late_job_of_a_pattern_of_ones_own_is_run(
    new_worker: WorkerFactory, store: Store, clock: Clock, prefix: str
) -> None:
    async def answer(job: Job) -> str:
        return "ran"

    def tomorrow(after: datetime, repeat: Any, name: str) -> datetime | None:
        return after + timedelta(days=1)

    queue = Queue("tasks", store=store, prefix=prefix, repeat_strategy=tomorrow)
    worker = new_worker(answer, store=store, repeat_strategy=tomorrow)
    await queue.upsert_job_scheduler("s", pattern="each day", missed="skip")
    clock.forward(72 * 3600)
    job = await worker.get_next_job(block=False)
    assert job is not None
    await worker.process(job)

    await job.refresh()
    assert job.return_value == "ran"
    await queue.close()


async def test_a_schedule_nobody_understands_does_not_fail_the_job(
    timed_queue: Queue, new_worker: WorkerFactory, store: Store, database: Database, prefix: str
) -> None:
    worker = new_worker(store=store)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await timed_queue.add("odd", job_id="repeat:s:1", extra={})
    database.command("HSET", f"{prefix}:tasks:repeat:s:1", "rjk", "s")
    opts = '{"repeat":{"pattern":"once in a blue moon","count":1}}'
    database.command("HSET", f"{prefix}:tasks:repeat:s:1", "opts", opts)

    await run_one(worker)
    assert [type(error) for error in errors] == [OptionError]


async def test_the_next_job_is_not_removed_by_itself(timed_queue: Queue) -> None:
    job = await timed_queue.upsert_job_scheduler("s", cron="0 0 1 1 *", tz="UTC")
    assert job is not None

    with pytest.raises(JobOwnedByScheduler):
        await job.remove()
    assert await timed_queue.remove_job_scheduler("s")
    assert await timed_queue.get_job(job.id) is None


async def test_runs_that_count_as_done(timed_queue: Queue, timed_worker: Worker, clock: Clock) -> None:
    await timed_queue.upsert_job_scheduler("s", every=60, limit=3, count=2)
    await run_one(timed_worker)
    assert await iterations(timed_queue) == []
    assert await timed_queue.upsert_job_scheduler("t", every=60, limit=3, count=3) is None
    assert await timed_queue.get_job_scheduler("t") is None
