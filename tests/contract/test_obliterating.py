"""Removing whole queues, what was left behind, and children."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.teller import Teller
from tests.support.database import Database
from toril import JobNotFound, ParentNotFound, ParentRef
from toril.model.names import QueueRef
from toril.store.values import Finish, Obliteration

MANY = 450


async def obliterate(teller: Teller, *, force: bool = False, everything: bool = False) -> None:
    """Take step after step."""
    step = None
    while step is None or not step.done:
        step = await teller.store.removals.obliterate(teller.queue, 100, force=force, everything=everything)
        assert step is not None
        assert not step.active
    await teller.store.removals.remove_traces(teller.queue, everything=everything)


async def fill(teller: Teller, database: Database) -> None:
    """A queue with something in every state, and all kinds of keys."""
    await teller.store.queues.announce(teller.queue, 100)
    for outcome in ("completed", "failed", ""):
        await teller.add(job_id=f"is-{outcome}")
        await teller.take()
        if outcome:
            await teller.settle(Finish(f"is-{outcome}", "token", outcome, "1", points=5))
    await teller.store.jobs.log(teller.queue, "is-completed", "row", None)
    await teller.add(job_id="waits", deduplication={"id": "d", "ttl": 3600})
    await teller.add(job_id="ranked", priority=1)
    await teller.add(job_id="later", delay=60)
    database.command("ZADD", teller.key("repeat"), 123, "hourly")
    database.command("HSET", teller.key("repeat:hourly"), "every", 1)
    database.command("HSET", teller.key("repeat:hourly:123"), "rjk", "hourly")
    database.command("ZADD", teller.key("delayed"), 123 * 4096, "repeat:hourly:123")
    await teller.store.queues.pause(teller.queue)


async def test_nothing_is_left_of_a_queue(teller: Teller, database: Database) -> None:
    await fill(teller, database)

    assert await teller.store.removals.obliterate(teller.queue, 9, force=False, everything=False) == (
        Obliteration(active=True)
    )
    await obliterate(teller, force=True)

    assert database.dump(own_keys=True) == {}


async def test_a_queue_that_is_not_paused_is_not_touched(teller: Teller, database: Database) -> None:
    await teller.add()
    before = database.dump()

    assert await teller.store.removals.obliterate(teller.queue, 9, force=True, everything=True) is None
    assert database.dump() == before


async def test_each_step_is_bounded_and_tells_what_is_left(teller: Teller) -> None:
    await asyncio.gather(*(teller.add() for _ in range(MANY)))
    await asyncio.gather(*(teller.add(priority=1) for _ in range(MANY)))
    await teller.store.queues.pause(teller.queue)
    removals = teller.store.removals

    step = await removals.obliterate(teller.queue, 70, force=False, everything=False)
    assert step == Obliteration(removed=70, remaining=2 * MANY - 70)
    step = await removals.obliterate(teller.queue, 10_000, force=False, everything=False)
    assert step is not None
    assert 70 < step.removed <= 1000


async def leave_behind(teller: Teller, database: Database) -> None:
    """What an obliteration of BullMQ does not see."""
    queue = teller.queue
    database.command("HSET", teller.key("parent"), "name", "parent")
    database.command("ZADD", teller.key("waiting-children"), 1, "parent")
    database.command("SADD", teller.key("parent:dependencies"), f"{queue.prefix}:other:child")
    database.command("SET", teller.key("de:stray"), "gone")
    database.command("HSET", teller.key("dn:stray"), "name", "next")
    await teller.store.queues.rate_limit(queue, 60_000)


async def test_what_bullmq_leaves_is_left_unless_asked_for(teller: Teller, database: Database) -> None:
    await fill(teller, database)
    await leave_behind(teller, database)
    await obliterate(teller, force=True)
    names = ("de:stray", "dn:stray", "limiter", "parent", "parent:dependencies", "waiting-children")
    assert sorted(database.dump()) == [teller.key(name) for name in names]

    await teller.store.queues.pause(teller.queue)
    await obliterate(teller, everything=True)
    assert database.dump() == {}


async def test_other_queues_keep_what_they_have(teller: Teller, queue: QueueRef, database: Database) -> None:
    # Its keys look like those of jobs of our queue.
    nested = QueueRef(queue.qualified, "nested")
    neighbours = (nested, QueueRef(queue.prefix, queue.name + "2"), QueueRef(queue.prefix, "x" + queue.name))
    for place in neighbours:
        await teller.store.jobs.add(place, teller.job(job_id="job", deduplication={"id": "d"}))
        database.command("ZADD", f"{place.base}failed", 1, "job")
    before = set(database.dump(own_keys=True))
    await fill(teller, database)
    await obliterate(teller, force=True, everything=True)

    assert await teller.store.removals.remove_orphans(queue, 100, 0) == 0
    assert set(database.dump(own_keys=True)) == before


async def test_orphans_are_found_by_any_of_their_keys(teller: Teller, database: Database) -> None:
    await fill(teller, database)
    await leave_behind(teller, database)
    kept = database.dump()
    database.command("HSET", teller.key("hash"), "name", "x")
    database.command("RPUSH", teller.key("log:logs"), "row")
    database.command("SET", teller.key("lock:lock"), "token")
    database.command("HSET", teller.key("both"), "name", "x")
    database.command("SADD", teller.key("both:dependencies"), "x")
    database.command("SET", teller.key("no-job"), "text")
    database.command("HSET", teller.key("toril:cursor"), "name", "x")
    removals, queue = teller.store.removals, teller.queue

    assert await removals.remove_orphans(queue, 10, 3) == 3
    assert await removals.remove_orphans(queue, 10, 0) == 1
    found = database.dump()
    assert found.pop(teller.key("no-job")).value == "text"
    assert {key: stored.value for key, stored in found.items()} == {
        key: stored.value for key, stored in kept.items()
    }
    assert database.command("EXISTS", teller.key("toril:cursor")) == 1


@pytest.mark.parametrize("strange", ["a[b", "a*", "a?", "a\\b", "a^-z]"])
async def test_names_with_signs_of_patterns_are_taken_literally(
    teller: Teller, queue: QueueRef, database: Database, strange: str
) -> None:
    odd = QueueRef(queue.prefix, strange)
    database.command("HSET", f"{odd.base}orphan", "name", "x")
    database.command("HSET", f"{queue.prefix}:ab:orphan", "name", "x")

    assert await teller.store.removals.remove_orphans(odd, 10, 0) == 1
    assert list(database.dump()) == [f"{queue.prefix}:ab:orphan"]


async def test_a_waiting_job_is_no_orphan_however_many_wait(teller: Teller, database: Database) -> None:
    adding = [asyncio.create_task(teller.add()) for _ in range(MANY)]
    orphans = 0
    while not all(task.done() for task in adding):
        database.command("HSET", teller.key(f"orphan-{orphans}"), "name", "x")
        orphans += await teller.store.removals.remove_orphans(teller.queue, 50, 0)
    await asyncio.gather(*adding)

    assert orphans > 0
    assert len(await teller.take(MANY + 1)) == MANY


async def family(teller: Teller, children: int) -> None:
    """A parent that waits for so many children of its own queue."""
    await teller.add(job_id="parent", delay=3600)
    parent = ParentRef("parent", teller.queue.qualified)
    await asyncio.gather(*(teller.add(parent=parent, job_id=f"child-{n}") for n in range(children)))


async def test_children_that_were_not_run_are_removed(teller: Teller, database: Database) -> None:
    await family(teller, 4)
    [running, failed] = await teller.take(2)
    await teller.settle(Finish(failed, "token", "failed", "why"))
    [nested] = {"child-0", "child-1", "child-2", "child-3"} - {running, failed} - {"child-3"}
    await teller.add(job_id="grandchild", parent=ParentRef(nested, teller.queue.qualified))

    await teller.store.removals.remove_pending_children(teller.queue, "parent")

    pending = database.dump()[teller.key("parent:dependencies")].value
    assert pending == sorted([teller.key(running), teller.key(failed)])
    assert await teller.state(nested) == await teller.state("grandchild") == "unknown"
    assert ("removed", "grandchild") in teller.events("removed")
    assert await teller.state(running) == "active"


async def test_many_children_are_removed(teller: Teller, database: Database) -> None:
    await family(teller, MANY)

    await teller.store.removals.remove_pending_children(teller.queue, "parent")

    assert teller.key("parent:dependencies") not in database.dump()
    assert await teller.take(1) == []
    assert len(teller.events("removed")) == MANY


async def test_a_child_is_untied_from_its_parent(teller: Teller, database: Database) -> None:
    await family(teller, 1)
    removals, queue, parent_key = teller.store.removals, teller.queue, teller.key("parent")

    assert await removals.untie_child(queue, "child-0", parent_key)
    assert not await removals.untie_child(queue, "child-0", parent_key)
    assert "parentKey" not in database.dump()[teller.key("child-0")].value
    assert await teller.state("child-0") == "waiting"
    with pytest.raises(ParentNotFound):
        await removals.untie_child(queue, "child-0", teller.key("nobody"))
    with pytest.raises(JobNotFound):
        await removals.untie_child(queue, "nobody", parent_key)


async def test_a_job_frees_the_deduplication_id_it_holds(teller: Teller) -> None:
    removals, queue = teller.store.removals, teller.queue
    first = await teller.add(deduplication={"id": "d"})
    assert await removals.remove_deduplication_key(queue, "d")
    assert not await removals.remove_deduplication_key(queue, "d")
    second = await teller.add(deduplication={"id": "d"})

    assert not await removals.free_deduplication(queue, first, None)
    assert not await removals.free_deduplication(queue, "nobody", None)
    assert await removals.free_deduplication(queue, second, "d")
    assert await removals.deduplication_owner(queue, "d") is None


async def test_events_are_trimmed_to_about_what_is_asked_for(teller: Teller, database: Database) -> None:
    await asyncio.gather(*(teller.add() for _ in range(MANY)))
    told = len(database.events(teller.queue.base))

    trimmed = await teller.store.removals.trim_events(teller.queue, 100)
    left = len(database.events(teller.queue.base))
    assert trimmed == told - left
    assert 100 <= left < 300
