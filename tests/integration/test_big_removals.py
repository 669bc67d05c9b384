"""Removing very many jobs: the server serves others meanwhile, and what is broken off can be gone on with."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.meter import Cost
from toril import AddOptions, Queue, QueueInUse
from toril.sync import Queue as BlockingQueue

MANY = 20_000


async def fill(queue: Queue) -> None:
    """Very many jobs, that wait for a slot, for their time, or behind others."""
    options: list[AddOptions] = [{}, {"delay": 3600}, {"priority": 5}, {}]
    for first in range(0, MANY, 1000):
        await queue.add_many([("work", n, options[n % 4]) for n in range(first, first + 1000)])


async def add_meanwhile(queue: Queue, work: Awaitable[Any]) -> int:
    """Add one job after the other while something else is done; answers how many."""
    task, added = asyncio.ensure_future(work), 0
    while not task.done():
        await queue.add("more")
        added += 1
    await task
    return added


VERBS: dict[str, Callable[[Queue], Awaitable[Any]]] = {
    "drain": lambda queue: queue.drain(delayed=True),
    "clean": lambda queue: queue.clean(state="wait"),
    "clean nothing": lambda queue: queue.clean(timedelta(hours=1), state="prioritized"),
    "remove_orphans": lambda queue: queue.remove_orphans(),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
async def test_no_call_holds_up_the_server(
    queue: Queue, new_queue: Callable[[], Queue], slow_calls: Callable[[], list[Cost]], verb: Any
) -> None:
    await fill(queue)
    slow_calls()

    added = await add_meanwhile(new_queue(), verb(queue))

    assert slow_calls() == []
    assert added > 10


async def test_draining_ends_though_others_add(queue: Queue, new_queue: Callable[[], Queue]) -> None:
    await fill(queue)
    removed = 0

    async def drain() -> None:
        nonlocal removed
        removed = await queue.drain(delayed=True)

    added = await add_meanwhile(new_queue(), drain())

    assert removed >= MANY
    assert sum((await queue.get_job_counts()).values()) == MANY + added - removed


async def test_obliterating_tells_how_far_it_is(
    queue: Queue, database: Database, slow_calls: Callable[[], list[Cost]]
) -> None:
    await fill(queue)
    slow_calls()
    told: list[tuple[int, int]] = []
    await queue.obliterate(on_progress=lambda removed, left: told.append((removed, left)))

    assert told[-1] == (MANY, 0)
    assert len(told) > 100
    assert all(removed + left == MANY for removed, left in told)
    assert slow_calls() == []
    assert database.dump(own_keys=True) == {}


async def test_an_obliteration_that_was_broken_off_is_gone_on_with(queue: Queue, database: Database) -> None:
    await fill(queue)
    for enough in (1000, 3000):
        reached = asyncio.Event()

        def watch(removed: int, left: int, enough: int = enough, reached: asyncio.Event = reached) -> None:
            if removed >= enough:
                reached.set()

        task = asyncio.create_task(queue.obliterate(on_progress=watch))
        await reached.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert await queue.is_paused()
        assert 0 < sum((await queue.get_job_counts()).values()) <= MANY - enough

    await queue.obliterate()
    assert database.dump(own_keys=True) == {}


async def test_a_drain_that_was_broken_off_leaves_whole_jobs(queue: Queue, database: Database) -> None:
    await fill(queue)
    task = asyncio.create_task(queue.drain())

    async def half_way() -> bool:
        return await queue.get_waiting_count() <= MANY // 4

    await eventually(half_way)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    counts = await queue.get_job_counts()
    hashes = database.command("EVAL", "return #redis.call('KEYS', ARGV[1])", 0, f"{queue.ref.base}[0-9]*")
    assert 0 < counts["waiting"] < MANY // 2
    assert hashes == sum(counts.values())


async def test_a_queue_that_runs_jobs_is_obliterated_by_force_only(queue: Queue, database: Database) -> None:
    await queue.add("work")
    database.command("RPOPLPUSH", f"{queue.ref.base}wait", f"{queue.ref.base}active")

    with pytest.raises(QueueInUse, match="active") as caught:
        await queue.obliterate()
    assert caught.value.queue == queue.name
    assert await queue.is_paused()
    assert await queue.get_active_count() == 1

    await queue.obliterate(force=True)
    assert database.dump(own_keys=True) == {}


async def test_a_queue_that_is_resumed_meanwhile_is_left(queue: Queue, database: Database) -> None:
    await fill(queue)

    def resume(removed: int, left: int) -> None:
        database.command("HDEL", f"{queue.ref.base}meta", "paused")

    with pytest.raises(QueueInUse, match="resumed"):
        await queue.obliterate(on_progress=resume)
    assert sum((await queue.get_job_counts()).values()) > MANY // 2


def test_blocking_code_can_remove_and_limit(url: str, prefix: str) -> None:
    with BlockingQueue("blocking", url=url, prefix=prefix) as queue:
        for n in range(3):
            queue.add("work", n, deduplication={"id": f"d{n}"})
        assert queue.get_deduplication_job_id("d2") == "3"
        assert queue.remove_deduplication_key("d2")
        assert queue.clean(limit=1, state="waiting") == ["1"]
        assert queue.drain() == 2
        assert queue.trim_events(0) >= 0
        assert queue.remove_orphans() == 0
        queue.set_global_concurrency(2)
        queue.set_global_rate_limit(3, 0.5)
        queue.rate_limit(60)
        left = queue.get_rate_limit_ttl()
        assert left is not None
        assert left > 50
        queue.remove_rate_limit_key()
        limit = queue.get_global_rate_limit()
        assert limit is not None
        assert (queue.get_global_concurrency(), limit.max, limit.per) == (2, 3, 0.5)
        queue.remove_global_rate_limit()
        queue.remove_global_concurrency()
        assert not queue.is_maxed()
        begun = time.monotonic()
        queue.obliterate(everything=True, on_progress=lambda removed, left: None)
        assert time.monotonic() - begun < 5
