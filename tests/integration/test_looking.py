"""What shows what is wrong with a queue: locks, orphans, dead schedulers, its events, its server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import toril.sync
from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.factories import WorkerStarter
from toril import Job, JobSpec, OptionError, Queue, Worker, get_server_info
from toril.store.contract import Store


@pytest.fixture
async def timed_queue(store: Store, prefix: str) -> Queue:
    return Queue("tasks", store=store, prefix=prefix)


async def test_a_running_job_has_a_lock_and_others_have_none(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def wait(job: Job) -> None:
        running.set()
        await go_on.wait()

    first, second = await queue.add("a"), await queue.add("b")
    worker = await start_worker(wait, concurrency=1, lock_duration=20)
    await running.wait()

    locks = await queue.get_locks([second.id, first.id, "nobody"])
    assert list(locks) == [first.id]
    assert locks[first.id].token
    assert 0 < locks[first.id].expires_in <= 20
    assert await queue.get_locks([]) == {}
    go_on.set()
    await worker.close()


async def test_ids_of_locks_are_checked(queue: Queue) -> None:
    ids: Any = [None]
    with pytest.raises(OptionError, match="ids"):
        await queue.get_locks(ids)


async def test_orphans_are_found_and_left_where_they_are(
    queue: Queue, database: Database, prefix: str
) -> None:
    kept = await queue.add("kept")
    database.command("HSET", f"{prefix}:tasks:lost", "name", "n")
    database.command("RPUSH", f"{prefix}:tasks:gone:logs", "row")

    assert sorted(await queue.find_orphans()) == ["gone", "lost"]
    assert len(await queue.find_orphans(limit=1)) == 1
    assert await queue.remove_orphans() == 2
    assert await queue.find_orphans() == []
    assert await queue.get_job(kept.id) is not None


async def test_a_dead_scheduler_is_found_and_restored_without_a_worker(
    timed_queue: Queue, store: Store, clock: Clock, database: Database, prefix: str
) -> None:
    await timed_queue.upsert_job_scheduler("s", JobSpec("tick"), every=60)
    worker = Worker("tasks", store=store, prefix=prefix)
    job = await worker.get_next_job(block=False)
    assert job is not None
    await worker.complete(job)
    [coming] = await timed_queue.get_delayed()
    database.command("ZREM", f"{prefix}:tasks:delayed", coming.id)
    database.command("DEL", f"{prefix}:tasks:{coming.id}")
    clock.forward(95)

    assert await timed_queue.dead_schedulers(overdue=600) == []
    assert await timed_queue.dead_schedulers(overdue=10) == ["s"]
    assert await timed_queue.get_job(coming.id) is None
    assert await timed_queue.restore_schedulers(overdue=10) == ["s"]
    assert await timed_queue.get_job(coming.id) is not None
    assert await timed_queue.dead_schedulers(overdue=10) == []
    await worker.close()


async def test_a_scheduler_at_its_end_is_not_dead(
    timed_queue: Queue, store: Store, clock: Clock, prefix: str
) -> None:
    await timed_queue.upsert_job_scheduler("s", every=60, limit=1)
    worker = Worker("tasks", store=store, prefix=prefix)
    job = await worker.get_next_job(block=False)
    assert job is not None
    await worker.complete(job)
    clock.forward(1000)

    assert await timed_queue.get_job_scheduler("s") is not None
    assert await timed_queue.dead_schedulers() == []
    await worker.close()


async def test_stored_events_are_read_in_pages_to_their_end(queue: Queue) -> None:
    jobs = [await queue.add("n") for _ in range(5)]

    events = [event async for event in queue.iter_events(batch=3)]
    assert [event.job_id for event in events if event.name == "added"] == [job.id for job in jobs]
    later = [event async for event in queue.iter_events(events[-2].id)]
    assert [event.id for event in later] == [events[-1].id]
    assert [event async for event in queue.iter_events("$")] == []
    with pytest.raises(OptionError, match="yesterday"):
        queue.iter_events("yesterday")


def test_stored_events_in_blocking_code(url: str, prefix: str) -> None:
    with toril.sync.Queue("tasks", url=url, prefix=prefix) as queue:
        job = queue.add("n")

        assert [event.job_id for event in queue.iter_events() if event.name == "added"] == [job.id]


async def test_the_server_tells_how_it_is_set_up(url: str) -> None:
    info = await get_server_info(url)

    assert (info.engine, info.mode, info.eviction) == ("valkey", "standalone", "noeviction")
    assert info.version.split(".")[0].isdigit()
    assert info.clients >= 1
    assert info.used_memory > 0
    assert (info.appends, info.snapshots, info.write_failed) == (True, False, False)


def test_the_server_tells_in_blocking_code(url: str) -> None:
    assert toril.sync.get_server_info(url).engine == "valkey"
