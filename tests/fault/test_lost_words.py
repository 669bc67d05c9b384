"""Jobs that no worker gets word of, since it was lost: they are found, and looking for them is cheap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from tests.support.trips import Trips, counting_trips
from toril import Job, Queue

# Seconds between two looks, much less than a test waits for a job.
OFTEN: dict[str, Any] = {"drain_delay": 0.2}
SLOTS_PER_MS = 4096

Hide = Callable[[Database, str, str], None]


async def work(job: Job) -> str:
    return f"done {job.name}"


def to_wait(database: Database, base: str, id: str) -> None:
    database.command("LPUSH", base + "wait", id)


def to_prioritized(database: Database, base: str, id: str) -> None:
    database.command("ZADD", base + "prioritized", 3 * 2**32, id)


def to_due(database: Database, base: str, id: str) -> None:
    added = int(database.command("HGET", base + id, "timestamp"))
    database.command("ZADD", base + "delayed", added * SLOTS_PER_MS, id)


async def hidden(queue: Queue, database: Database) -> Job:
    """A job that is stored and stands in no line."""
    job = await queue.add("hidden")
    database.command("DEL", queue.ref.base + "wait", queue.ref.base + "marker")
    return job


async def begun_to_wait(database: Database) -> None:
    await eventually(lambda: any(client["cmd"] == "bzpopmin" for client in database.clients()))


@pytest.mark.parametrize("far", [False, True], ids=["nothing else", "another is due in an hour"])
@pytest.mark.parametrize("put", [to_wait, to_prioritized, to_due])
async def test_a_job_without_word_is_found(
    queue: Queue, database: Database, start_worker: WorkerStarter, put: Hide, far: bool
) -> None:
    job = await hidden(queue, database)
    if far:
        await queue.add("later", delay=3600)
    await start_worker(work, **OFTEN)
    await begun_to_wait(database)
    put(database, queue.ref.base, job.id)
    assert database.command("ZSCORE", queue.ref.base + "marker", "0") is None

    assert await job.result(timeout=4) == "done hidden"


async def test_a_job_whose_word_another_worker_took_with_it_is_found(
    queue: Queue, database: Database, start_worker: WorkerStarter
) -> None:
    job = await queue.add("orphaned")
    assert database.command("ZREM", queue.ref.base + "marker", "0") == 1
    await queue.pause()
    await start_worker(work, **OFTEN)
    await begun_to_wait(database)
    # The gate opens, and nobody is told.
    database.command("HDEL", queue.ref.base + "meta", "paused")

    assert await job.result(timeout=4) == "done orphaned"


async def test_jobs_of_a_paused_queue_stay_where_they_are(
    queue: Queue, database: Database, start_worker: WorkerStarter
) -> None:
    await queue.pause()
    await start_worker(work, **OFTEN)
    job = await queue.add("later")
    with counting_trips() as trips:
        await eventually(lambda: len(trips.running("BZPOPMIN")) >= 3)
    assert await job.state() == "waiting"
    await queue.resume()

    assert await job.result(timeout=4) == "done later"


def names(trips: Trips) -> set[object]:
    return {words[0] for words in trips.commands}


async def test_an_idle_worker_asks_one_plain_command_a_wait(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(work, drain_delay=0.05, skip_stalled_check=True)
    # Its result is not waited for: that takes a connection, which lingers.
    await eventually((await queue.add("first")).is_completed)
    with counting_trips() as trips:
        # The look after the first job may still be under way; what is counted comes after it.
        await eventually(lambda: len(trips.running("EXISTS")) >= 1)
        trips.commands.clear()
        await eventually(lambda: len(trips.running("BZPOPMIN")) >= 10)
        waits, looks = len(trips.running("BZPOPMIN")), len(trips.running("EXISTS"))

        assert names(trips) == {"BZPOPMIN", "EXISTS"}
        assert abs(looks - waits) <= 1


async def test_delayed_jobs_cost_an_idle_worker_one_command_more(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await queue.add("later", delay=3600)
    await start_worker(work, drain_delay=0.05, skip_stalled_check=True)
    with counting_trips() as trips:
        await eventually(lambda: len(trips.running("ZRANGE")) >= 1)
        trips.commands.clear()
        await eventually(lambda: len(trips.running("BZPOPMIN")) >= 10)

        assert names(trips) == {"BZPOPMIN", "EXISTS", "ZRANGE"}
        assert abs(len(trips.commands) - 3 * len(trips.running("BZPOPMIN"))) <= 2


async def test_looking_for_lost_jobs_is_one_plain_command_where_none_is_active(
    queue: Queue, database: Database, start_worker: WorkerStarter
) -> None:
    await start_worker(work, drain_delay=5, stalled_interval=0.05)
    await begun_to_wait(database)
    with counting_trips() as trips:
        await eventually(lambda: len(trips.commands) >= 5)

        assert set(trips.commands) == {
            ("EXISTS", *(queue.ref.base + what for what in ("active", "stalled", "repeat")))
        }
