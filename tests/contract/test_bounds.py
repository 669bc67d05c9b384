"""What one call does when there is very much to do: a part of it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from tests.contract.teller import Teller
from tests.support.clock import START_MS, Clock
from tests.support.database import Database
from tests.support.factories import QueueFactory
from toril import JobSpec, OptionError
from toril.store.values import Finish

MANY = 2500


def finished(teller: Teller, database: Database, state: str) -> None:
    """Very many finished jobs, oldest first."""
    for first in range(0, MANY, 500):
        scores = [word for n in range(first, first + 500) for word in (n, f"old{n}")]
        database.command("ZADD", teller.key(state), *scores)
    script = "for n = 0, ARGV[2] - 1 do redis.call('HSET', ARGV[1] .. n, 'name', 'work', 'data', '{}') end"
    database.command("EVAL", script, 0, teller.key("old"), MANY)


async def test_too_many_finished_jobs_go_in_parts_the_oldest_first(
    teller: Teller, database: Database
) -> None:
    finished(teller, database, "completed")
    left: list[int] = []
    for n in range(3):
        id = await teller.add()
        await teller.take()
        await teller.settle(Finish(id, "token", "completed", "1", keep=(100, False, False)))
        left.append(database.command("ZCARD", teller.key("completed")))
        if n == 0:
            assert database.command("ZRANGE", teller.key("completed"), 0, 0) == ["old1000"]
            assert database.command("EXISTS", teller.key("old999"), teller.key("old1000")) == 1

    assert left == [MANY + 1 - 1000, MANY + 2 - 2000, 100]


async def test_one_call_runs_some_hundred_jobs_again(teller: Teller, database: Database) -> None:
    finished(teller, database, "failed")
    database.command("CONFIG", "RESETSTAT")

    assert await teller.store.queues.retry_jobs(teller.queue, "failed", 1_000_000, START_MS) == MANY
    assert database.command("LLEN", teller.key("wait")) == MANY
    assert database.command("LINDEX", teller.key("wait"), -1) == "old0"
    stats = database.command("INFO", "commandstats")
    calls = sum(stats[name]["calls"] for name in ("cmdstat_evalsha", "cmdstat_eval") if name in stats)
    assert calls >= MANY // 250


async def test_one_take_moves_some_hundred_due_jobs(teller: Teller, database: Database, clock: Clock) -> None:
    jobs = [teller.job(delay=1) for _ in range(MANY)]
    await teller.store.jobs.add_many(teller.queue, jobs, atomic=False)
    clock.forward(10)
    left = [MANY]
    while left[-1]:
        assert len(await teller.take(50)) == 50
        left.append(database.command("ZCARD", teller.key("delayed")))

    moved = [before - after for before, after in pairwise(left)]
    assert max(moved) <= 250
    assert min(moved[:-1]) > 50


async def test_only_so_many_jobs_are_added_all_or_none(new_queue: QueueFactory, database: Database) -> None:
    queue = await new_queue().ready()
    before = database.dump()
    with pytest.raises(OptionError, match="10000 that are added all or none") as caught:
        await queue.add_many([JobSpec("work")] * 10_001, atomic=True)
    assert (caught.value.option, caught.value.value) == ("jobs", 10_001)
    assert database.dump() == before
    assert len(await queue.add_many([JobSpec("work")] * 10_001)) == 10_001


async def test_weeks_without_a_finish_are_points_of_zero(teller: Teller, database: Database) -> None:
    weeks = 80_000
    then = START_MS - weeks * 60_000
    database.command("HSET", teller.key("metrics:completed"), "count", 7, "prevTS", then, "prevCount", 0)
    id = await teller.add()
    await teller.take()
    database.command("CONFIG", "RESETSTAT")
    await teller.settle(Finish(id, "token", "completed", "1", points=weeks + 5))
    pushes = database.command("INFO", "commandstats")["cmdstat_lpush"]["calls"]
    assert pushes < weeks // 1000

    data = teller.key("metrics:completed:data")
    assert database.command("LLEN", data) == weeks
    assert set(database.command("LRANGE", data, 0, -2)) == {"0"}
    assert database.command("LINDEX", data, -1) == "7"


@pytest.mark.parametrize("count", [900, 5000])
async def test_all_children_are_read_whatever_their_number(
    teller: Teller, database: Database, count: int
) -> None:
    id = await teller.add()
    key = teller.key(id)
    names = [f"{teller.key('')}child{n}" for n in range(count)]
    for kind in ("processed", "failed"):
        database.command("HSET", f"{key}:{kind}", *(w for name in names for w in (f"{name}{kind}", "1")))
    database.command("SADD", f"{key}:dependencies", *names)
    database.command("ZADD", f"{key}:unsuccessful", *(w for name in names for w in (1, f"{name}bad")))

    found = await teller.store.family.dependencies(teller.queue, id)
    assert sorted(found.unprocessed) == sorted(names)
    assert sorted(found.failed) == sorted(f"{name}bad" for name in names)
    assert found.processed == {f"{name}processed": b"1" for name in names}
    assert found.ignored == {f"{name}failed": "1" for name in names}
    assert set(found.next.values()) == {0}


async def test_no_child_is_missed_that_is_done_while_all_are_read(teller: Teller, database: Database) -> None:
    id = await teller.add()
    key = teller.key(id)
    names = [f"{teller.key('')}child{n}" for n in range(20_000)]
    for first in range(0, len(names), 5000):
        database.command("SADD", f"{key}:dependencies", *names[first : first + 5000])

    async def finish() -> None:
        for name in names[::7]:
            database.command("SREM", f"{key}:dependencies", name)
            database.command("HSET", f"{key}:processed", name, "1")
            await asyncio.sleep(0)

    finishing = asyncio.create_task(finish())
    found = await teller.store.family.dependencies(teller.queue, id)
    await finishing
    assert found.keys() == set(names)
    assert not set(found.unprocessed) & set(found.processed)


@pytest.mark.parametrize(("hashes", "most"), [("kept", 2), ("gone", 0)])
async def test_the_place_of_a_walk_is_not_looked_for_again_and_again(
    teller: Teller, database: Database, hashes: str, most: int
) -> None:
    walk, wait = teller.store.queues.walk, teller.key("wait")
    await asyncio.gather(*(teller.add() for _ in range(1500)))
    _, place = await walk(teller.queue, "waiting")
    assert place is not None
    assert len(place.anchors) > most
    for first in range(0, 60_000, 5000):
        database.command("LPUSH", wait, *(f"new{n}" for n in range(first, first + 5000)))
    for id in place.anchors:
        database.command("LREM", wait, -1, id)
        if hashes == "gone":
            database.command("DEL", teller.key(id))
    database.command("CONFIG", "RESETSTAT")

    ids, _ = await walk(teller.queue, "waiting", place)
    assert ids[0] == "new59999"
    assert database.command("INFO", "commandstats").get("cmdstat_lpos", {"calls": 0})["calls"] <= most
