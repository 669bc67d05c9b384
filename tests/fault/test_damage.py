"""Jobs whose stored form was damaged, and keys of the queue that hold something else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, Queue, QueueEvents, StoreError, Worker, sync

Damage = Callable[[Database, str], None]


def vanish(database: Database, key: str) -> None:
    database.command("DEL", key)


def become_text(database: Database, key: str) -> None:
    database.command("DEL", key)
    database.command("SET", key, "not a job")


def become_list(database: Database, key: str) -> None:
    database.command("DEL", key)
    database.command("RPUSH", key, "not a job")


def garbage(*fields: str) -> Damage:
    def write(database: Database, key: str) -> None:
        for field in fields:
            database.command("HSET", key, field, "{garbage\n")

    return write


ALL_FIELDS = (
    "opts",
    "data",
    "timestamp",
    "delay",
    "priority",
    "atm",
    "ats",
    "stc",
    "stacktrace",
    "parent",
    "deid",
)

DAMAGES: dict[str, Damage] = {
    "vanished": vanish,
    "a text": become_text,
    "a list": become_list,
    **{field: garbage(field) for field in (*ALL_FIELDS, "parentKey", "failedReason", "attemptsMade")},
    "everything": garbage(*ALL_FIELDS),
    "lock": lambda database, key: become_list(database, f"{key}:lock"),
    "dependencies": lambda database, key: become_text(database, f"{key}:dependencies"),
}


async def healthy_jobs_run(queue: Queue, jobs: list[Job]) -> bool:
    """Whether these jobs and others that are added now are done."""
    later = [await queue.add("healthy") for _ in range(3)]
    results = await asyncio.gather(*(job.result(timeout=5) for job in (*jobs, *later)))
    return results == ["fine"] * (len(jobs) + 3)


@pytest.mark.parametrize("concurrency", [1, 10])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_job_damaged_while_it_waits_holds_up_nobody(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, damage: str, concurrency: int
) -> None:
    async def handler(job: Job) -> str:
        return "fine"

    before = [await queue.add("healthy") for _ in range(2)]
    await queue.add("damaged", job_id="damaged")
    after = [await queue.add("healthy") for _ in range(2)]
    DAMAGES[damage](database, f"{prefix}:tasks:damaged")
    await start_worker(handler, concurrency=concurrency)

    assert await healthy_jobs_run(queue, [*before, *after])


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_job_damaged_while_it_runs_holds_up_nobody(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, damage: str, failing: bool
) -> None:
    async def handler(job: Job) -> str:
        if job.name == "damaged":
            DAMAGES[damage](database, f"{prefix}:tasks:damaged")
            if failing:
                raise ValueError("and it fails")
        return "fine"

    before = [await queue.add("healthy") for _ in range(2)]
    await queue.add("damaged", job_id="damaged", attempts=2)
    after = [await queue.add("healthy") for _ in range(2)]
    worker = await start_worker(handler, concurrency=5, skip_stalled_check=True)

    assert await healthy_jobs_run(queue, [*before, *after])
    assert worker.is_running


OWN_KEYS = ("wait", "active", "delayed", "prioritized", "events", "marker", "meta")


@pytest.mark.parametrize("key", OWN_KEYS)
async def test_a_key_of_the_queue_that_holds_something_else_is_told_and_outlived(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str, key: str
) -> None:
    async def handler(job: Job) -> str:
        return "fine"

    worker = await start_worker(handler, run_retry_delay=0.05, drain_delay=0.1)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await worker.pause()
    await queue.add("work")
    become_text(database, f"{prefix}:tasks:{key}")
    await worker.resume()
    await eventually(lambda: errors)
    database.command("DEL", f"{prefix}:tasks:{key}")

    assert await (await queue.add("work")).result(timeout=5) == "fine"
    assert any("WRONGTYPE" in str(error) for error in errors)


async def test_nothing_of_a_vanished_job_stays_behind(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    async def handler(job: Job) -> str:
        if job.name == "damaged":
            vanish(database, f"{prefix}:tasks:damaged")
        return "fine"

    await start_worker(handler)
    await queue.add("damaged", job_id="damaged")
    await (await queue.add("healthy")).result(timeout=5)

    assert f"{prefix}:tasks:damaged" not in database.dump()


@pytest.mark.parametrize("value", ["garbage", "", "inf", "nan"])
async def test_limits_that_are_no_numbers_are_none(queue: Queue, database: Database, value: str) -> None:
    for field in ("concurrency", "max", "duration"):
        database.command("HSET", f"{queue.ref.base}meta", field, value)

    assert await queue.get_global_concurrency() is None
    assert await queue.get_global_rate_limit() is None


FIRST_DAY, LAST_DAY = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("score", "next_at"),
    [("1e300", LAST_DAY), ("inf", LAST_DAY), ("-1e300", FIRST_DAY), ("-inf", FIRST_DAY)],
)
async def test_a_scheduler_that_is_due_at_no_time_hides_no_other(
    queue: Queue, database: Database, score: str, next_at: datetime
) -> None:
    for id in ("broken", "healthy"):
        await queue.upsert_job_scheduler(id, every=60)
    database.command("ZADD", f"{queue.ref.base}repeat", score, "broken")
    database.command("HSET", f"{queue.ref.base}repeat:broken", "startDate", "1e300", "endDate", "x")

    found = {scheduler.id: scheduler for scheduler in await queue.get_job_schedulers()}

    assert found.keys() == {"broken", "healthy"}
    assert found["broken"].next_at == next_at
    assert (found["broken"].start, found["broken"].end) == (None, None)
    assert next_at != found["healthy"].next_at
    assert await queue.get_job_scheduler("broken") == found["broken"]


async def test_a_reader_that_can_not_begin_leaves_the_server(
    url: str, database: Database, prefix: str
) -> None:
    become_text(database, f"{prefix}:tasks:events")
    before = len(database.clients())
    with pytest.raises(StoreError, match="WRONGTYPE"):
        async with QueueEvents("tasks", url=url, prefix=prefix):
            pass

    await eventually(lambda: len(database.clients()) == before)


async def test_blocking_classes_that_can_not_begin_leave_the_server(
    url: str, database: Database, prefix: str
) -> None:
    def enter(face: sync.Queue | sync.QueueEvents) -> None:
        with face:
            pass

    for key in ("events", "meta"):
        become_text(database, f"{prefix}:tasks:{key}")
    before = len(database.clients())
    for face in (sync.QueueEvents, sync.Queue):
        with pytest.raises(StoreError, match="WRONGTYPE"):
            await asyncio.to_thread(enter, face("tasks", url=url, prefix=prefix))

    await eventually(lambda: len(database.clients()) == before)


async def test_a_worker_that_is_not_waited_for_at_its_start_leaves_the_server(
    url: str, database: Database, prefix: str
) -> None:
    async def handler(job: Job) -> None:
        raise AssertionError

    async def work() -> None:
        async with Worker("tasks", handler, url=url, prefix=prefix):
            raise AssertionError

    before = len(database.clients())
    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    await eventually(lambda: len(database.clients()) == before)
