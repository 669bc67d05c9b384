"""Walking through whole states while jobs come, go and move."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Unpack

import pytest

from tests.support.database import Database
from tests.support.factories import WorkerStarter
from toril import AddOptions, Job, OptionError, Queue, Retry
from toril.core.iteration import SeenIds
from toril.store.contract import Store
from toril.store.values import Mark

ALL = ["active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children"]
# More than are read in one step.
MANY = 12_000


async def collect(
    queue: Queue, states: str | list[str], between: Callable[[int], None] | None = None
) -> Counter[str]:
    """How often each job is yielded; `between` is called after each hundred."""
    met: Counter[str] = Counter()
    async for job in queue.iter_jobs(states):
        met[job.id] += 1
        if between is not None and met.total() % 100 == 0:
            between(met.total())
    return met


async def add(queue: Queue, count: int, **options: Unpack[AddOptions]) -> set[str]:
    jobs = await queue.add_many(("work", number, options) for number in range(count))
    return {job.id for job in jobs if isinstance(job, Job)}


async def test_every_state_is_walked(queue: Queue, database: Database) -> None:
    added = await add(queue, 250) | await add(queue, 250, delay=60) | await add(queue, 250, priority=3)
    base = queue.ref.base
    for state in ("completed", "failed", "waiting-children"):
        database.command("HSET", f"{base}{state}1", "name", "work")
        database.command("ZADD", f"{base}{state}", 1, f"{state}1")
        added.add(f"{state}1")
    database.command("HSET", f"{base}running", "name", "work")
    database.command("LPUSH", f"{base}active", "running", "gone")

    assert await collect(queue, ALL) == Counter([*added, "running"])
    assert [job.id async for job in queue.iter_jobs("active", batch=1)] == ["running"]
    assert [job.id async for job in queue.iter_jobs([])] == []


async def test_what_can_not_be_walked_is_refused_at_once(queue: Queue) -> None:
    with pytest.raises(OptionError, match="did you mean 'failed'"):
        queue.iter_jobs("failled")
    with pytest.raises(OptionError, match="batch=0"):
        queue.iter_jobs("failed", batch=0)


async def test_waiting_jobs_that_stay_are_met_once_while_the_line_moves(
    queue: Queue, database: Database
) -> None:
    added = await add(queue, MANY)
    key, base, fresh = f"{queue.ref.base}wait", queue.ref.base, iter(range(10**6, 10**7))
    gone: set[str] = set()

    def move(_: int) -> None:
        """Some come on both sides, some are taken, some are removed from the part that was read."""
        for side, count in (("LPUSH", 40), ("RPUSH", 3)):
            ids = [str(next(fresh)) for _ in range(count)]
            for id in ids:
                database.command("HSET", f"{base}{id}", "name", "new")
            database.command(side, key, *ids)
        gone.update(database.command("RPOP", key, 5))
        for id in database.command("LRANGE", key, 60, 75):
            database.command("LREM", key, 1, id)
            gone.add(id)

    met = await collect(queue, "waiting", move)
    assert added - gone - set(met) == set()
    assert max(met.values()) == 1
    assert len(added - gone) > MANY // 2


async def test_a_walk_finds_its_place_after_a_flood(queue: Queue, store: Store, database: Database) -> None:
    """More come at once than a step reads, and all that it would go on behind are removed."""
    added = await add(queue, MANY)
    key = f"{queue.ref.base}wait"
    ids, place = await store.queues.walk(queue.ref, "waiting")
    assert place is not None
    database.command("LPUSH", key, *(f"new{number}" for number in range(5_000)))
    more, place = await store.queues.walk(queue.ref, "waiting", place)
    assert set(more) <= added
    assert len(set(more) - set(ids)) == 1_000

    assert place is not None
    for id in place.anchors:
        database.command("LREM", key, 1, id)
    rest: set[str] = set()
    lost: Mark | None = place
    while lost is not None:
        more, lost = await store.queues.walk(queue.ref, "waiting", lost)
        rest.update(more)
    assert added - rest == set(place.anchors)


async def test_delayed_jobs_are_met_once_whatever_their_time(queue: Queue, database: Database) -> None:
    added = await add(queue, MANY, delay=60)
    key = f"{queue.ref.base}delayed"

    def shuffle(count: int) -> None:
        """What is first comes last and what is last comes first; some are removed and many come."""
        (first, _), (last, _) = (
            database.command("ZRANGE", key, place, place, "WITHSCORES") for place in (count // 100, -1)
        )
        database.command("ZADD", key, 2**52 + count, first, count, last)
        database.command(
            "ZADD", key, *(word for n in range(20) for word in (count * 100 + n, f"new{count}.{n}"))
        )

    met = await collect(queue, "delayed", shuffle)
    assert met == Counter(added)


async def test_removed_jobs_leave_no_gap(queue: Queue) -> None:
    added = await add(queue, MANY, priority=7)
    met: list[str] = []
    removed: set[str] = set()
    async for job in queue.iter_jobs("prioritized", batch=50):
        met.append(job.id)
        if len(met) % 50 == 0:
            other = str(len(met) * 7 % MANY + 1)
            if await queue.remove(other):
                removed.add(other)

    assert len(set(met)) == len(met)
    assert added - removed - set(met) == set()
    assert len(removed) > 30


async def test_all_jobs_are_met_once_while_workers_run(queue: Queue, start_worker: WorkerStarter) -> None:
    """Jobs go forth and back between all states; up to ten thousand are seen at one moment."""
    added = await add(queue, 3_000) | await add(queue, 1_500, priority=2) | await add(queue, 500, delay=1)
    finished = 0

    async def work(job: Job) -> None:
        nonlocal finished
        await asyncio.sleep(0)
        if job.data % 3 == 0 and job.attempts_made == 0:
            raise Retry("again", delay=0.02)
        finished += 1

    await start_worker(work, concurrency=50)
    walks = 0
    while finished < 3_000:
        met = await collect(queue, ALL)
        assert max(met.values()) == 1
        assert added - set(met) == set()
        walks += 1
    assert walks > 2


async def test_jobs_that_go_on_are_met_in_a_later_state(queue: Queue, start_worker: WorkerStarter) -> None:
    added = await add(queue, MANY)
    started = asyncio.Event()

    async def work(job: Job) -> None:
        started.set()

    await start_worker(work, concurrency=50)
    await started.wait()
    extra = asyncio.create_task(add(queue, 2_000))
    met = await collect(queue, ["completed", "active", "waiting"])
    await extra

    assert added - set(met) == set()
    assert max(met.values()) == 1
    assert await queue.get_completed_count() > 0


def test_ids_are_remembered_as_bits_or_texts() -> None:
    seen = SeenIds()
    ids = ["1", "01", "0", "8", "32767", "32768", "9" * 15, "9" * 16, "a", "", "-1", "1.0", "²"]

    assert [seen.add(id) for id in ids] == [True] * len(ids)
    assert [seen.add(id) for id in ids] == [False] * len(ids)
    assert all(seen.add(str(number)) for number in range(100, 200))
