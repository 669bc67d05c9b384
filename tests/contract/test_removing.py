"""Removing many jobs at once: draining and cleaning."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.teller import Teller
from tests.support.clock import Clock
from tests.support.database import Database
from toril import ParentRef
from toril.model.names import QueueRef

# More than one call to the server removes.
MANY = 450
OLD, YOUNG = 3600.0, 0.0


def schedule(teller: Teller, database: Database, scheduler: str, due: int) -> str:
    """The pending iteration of a scheduler, as another client has written it; it is in no state yet."""
    id = f"repeat:{scheduler}:{due}"
    database.command("ZADD", teller.key("repeat"), due, scheduler)
    database.command("HSET", teller.key(id), "name", "tick", "rjk", scheduler, "timestamp", 1)
    return id


async def add_aged(teller: Teller, clock: Clock, *ages: float, **options: object) -> list[str]:
    """Jobs that were added so many seconds ago."""
    ids: list[str] = []
    for age in ages:
        clock.forward(-age)
        ids.append(await teller.add(**options))
        clock.forward(age)
    return ids


def hashes(teller: Teller, database: Database) -> set[str]:
    """The ids of all jobs that are stored."""
    length = len(teller.queue.base)
    return {key[length:] for key, stored in database.dump().items() if "name" in stored.value}


async def test_draining_removes_what_waits_and_nothing_else(teller: Teller, database: Database) -> None:
    await teller.add(job_id="runs")
    await teller.take()
    await teller.add(job_id="waits")
    await teller.add(job_id="waits-with-priority", priority=3)
    await teller.add(job_id="waits-for-its-time", delay=60)
    told = database.events(teller.queue.base)

    assert await teller.store.removals.drain(teller.queue, delayed=False) == 2
    assert hashes(teller, database) == {"runs", "waits-for-its-time"}
    assert await teller.store.removals.drain(teller.queue, delayed=True) == 1
    assert hashes(teller, database) == {"runs"}
    assert database.events(teller.queue.base) == told


@pytest.mark.parametrize("before", [0, 1, MANY])
async def test_draining_keeps_the_next_iterations_of_schedulers(
    teller: Teller, database: Database, before: int
) -> None:
    await asyncio.gather(*(teller.add() for _ in range(before)))
    waiting = schedule(teller, database, "hourly", 123)
    ranked = schedule(teller, database, "with:colons", 124)
    delayed = schedule(teller, database, "daily", 125)
    database.command("LPUSH", teller.key("wait"), waiting)
    database.command("ZADD", teller.key("prioritized"), 1, ranked)
    database.command("ZADD", teller.key("delayed"), 1, delayed)
    await asyncio.gather(*(teller.add() for _ in range(MANY)))

    assert await teller.store.removals.drain(teller.queue, delayed=True) == before + MANY
    found = database.dump()
    assert found[teller.key("wait")].value == [waiting]
    assert list(found[teller.key("prioritized")].value) == [ranked]
    assert list(found[teller.key("delayed")].value) == [delayed]
    assert hashes(teller, database) == {waiting, ranked, delayed}


async def test_an_iteration_that_is_not_the_next_one_is_drained(teller: Teller, database: Database) -> None:
    id = schedule(teller, database, "hourly", 123)
    database.command("LPUSH", teller.key("wait"), id)
    database.command("ZADD", teller.key("repeat"), 124, "hourly")

    assert await teller.store.removals.drain(teller.queue, delayed=False) == 1
    assert hashes(teller, database) == set()


async def test_what_holds_no_job_is_drained_and_its_key_stays(teller: Teller, database: Database) -> None:
    await teller.add(job_id="job")
    database.command("SET", teller.key("text"), "not a job")
    database.command("LPUSH", teller.key("wait"), "text", "gone")

    assert await teller.store.removals.drain(teller.queue, delayed=False) == 3
    found = database.dump()
    assert teller.key("wait") not in found
    assert found[teller.key("text")].value == "not a job"


async def test_draining_frees_deduplication_ids(teller: Teller) -> None:
    rule = {"id": "d", "ttl": 60}
    first = await teller.add(deduplication=rule)
    await teller.store.removals.drain(teller.queue, delayed=False)

    second = await teller.add(deduplication=rule)
    assert second != first
    assert await teller.store.removals.deduplication_owner(teller.queue, "d") == second


async def test_parents_go_with_their_last_child_or_are_freed(
    teller: Teller, queue: QueueRef, database: Database
) -> None:
    elsewhere = QueueRef(queue.prefix, "elsewhere")
    for place in (queue, elsewhere):
        key = f"{place.qualified}:parent"
        database.command("HSET", key, "name", "parent")
        database.command("ZADD", f"{place.base}waiting-children", 1, "parent")
        await teller.add(parent=ParentRef("parent", place.qualified))

    assert await teller.store.removals.drain(queue, delayed=False) == 2
    assert hashes(teller, database) == {f"{elsewhere.base}parent"[len(queue.base) :]}
    assert database.dump()[f"{elsewhere.base}wait"].value == ["parent"]


async def test_cleaning_goes_by_age_wherever_it_is_kept(
    teller: Teller, clock: Clock, database: Database
) -> None:
    removals, queue = teller.store.removals, teller.queue
    before = clock.ms - 60_000
    waiting = await add_aged(teller, clock, OLD, YOUNG, OLD)
    ranked = await add_aged(teller, clock, YOUNG, OLD, priority=5)
    delayed = await add_aged(teller, clock, OLD, YOUNG, delay=7200)

    assert await removals.clean(queue, "wait", before, 0) == [waiting[2], waiting[0]]
    assert await removals.clean(queue, "prioritized", before, 0) == [ranked[1]]
    assert await removals.clean(queue, "delayed", before, 0) == [delayed[0]]
    assert await removals.clean(queue, "completed", before, 0) == []
    assert hashes(teller, database) == {waiting[1], ranked[0], delayed[1]}
    told = [event for event in database.events(queue.base) if event["event"] == "cleaned"]
    assert [event["count"] for event in told] == ["2", "1", "1", "0"]


async def test_a_job_that_does_not_say_when_it_was_added_is_old(teller: Teller, database: Database) -> None:
    database.command("RPUSH", teller.key("wait"), "leftover")
    database.command("HSET", teller.key("leftover"), "ats", 1)

    assert await teller.store.removals.clean(teller.queue, "wait", 1, 0) == ["leftover"]


async def test_cleaning_looks_at_no_more_jobs_than_it_is_told_to(teller: Teller, clock: Clock) -> None:
    removals, queue, before = teller.store.removals, teller.queue, clock.ms - 60_000
    ids = await add_aged(teller, clock, OLD, YOUNG, OLD, OLD)

    assert await removals.clean(queue, "wait", before, 3) == [ids[2], ids[0]]
    assert await removals.clean(queue, "wait", before, 1) == []
    assert await removals.clean(queue, "wait", before, 0) == [ids[3]]


async def test_active_jobs_are_cleaned_if_their_lock_is_gone(teller: Teller, database: Database) -> None:
    for id in ("held", "lost"):
        await teller.add(job_id=id)
    assert await teller.take(2) == ["held", "lost"]
    database.command("DEL", teller.key("lost:lock"))

    assert await teller.store.removals.clean(teller.queue, "active", 2**50, 0) == ["lost"]
    assert await teller.state("held") == "active"


async def test_many_jobs_are_cleaned_in_order_and_told_once(
    teller: Teller, clock: Clock, database: Database
) -> None:
    ids = await add_aged(teller, clock, *([OLD, YOUNG, OLD] * (MANY // 3)))
    old = [id for place, id in enumerate(ids) if place % 3 != 1]
    ranked = await add_aged(teller, clock, *([YOUNG, OLD] * (MANY // 2)), priority=1)

    cleaned = await teller.store.removals.clean(teller.queue, "wait", clock.ms - 60_000, 0)
    assert cleaned == old[::-1]
    assert (
        await teller.store.removals.clean(teller.queue, "prioritized", clock.ms - 60_000, 0) == ranked[1::2]
    )
    assert database.dump()[teller.key("wait")].value == ids[1::3][::-1]
    told = [event["count"] for event in database.events(teller.queue.base) if event["event"] == "cleaned"]
    assert told == [str(len(old)), str(len(ranked) // 2)]


@pytest.mark.parametrize("priority", [0, 3])
async def test_no_old_job_is_missed_while_others_are_taken(
    teller: Teller, clock: Clock, priority: int
) -> None:
    state = "prioritized" if priority else "wait"
    # What is young comes first and stays, so that what is taken meanwhile shifts all that follows.
    await add_aged(teller, clock, *([YOUNG] * MANY), *([OLD, YOUNG] * MANY), priority=priority)
    cleaning = asyncio.create_task(teller.store.removals.clean(teller.queue, state, clock.ms - 60_000, 0))
    taken: list[str] = []
    while not cleaning.done():
        taken += await teller.take(3)

    assert len(taken) < MANY
    assert len(await cleaning) == MANY
    assert await teller.store.removals.clean(teller.queue, state, clock.ms - 60_000, 0) == []
