"""Jobs that are taken for their age, though others have a higher priority."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.contract.teller import Teller
from tests.support.clock import Clock
from tests.support.database import Database
from toril.model.draft import MAX_PRIORITY
from toril.store.values import Claim

CLAIM = Claim(token="token", lock_ms=30_000, count=4, aged=1)


async def take(teller: Teller, claim: Claim = CLAIM) -> list[str]:
    return [job.id for job in (await teller.store.jobs.take(teller.queue, claim)).jobs]


async def test_the_oldest_that_others_go_before_comes_first(teller: Teller, database: Database) -> None:
    ids = [
        await teller.add(job_id=f"p{priority}-{n}", priority=priority)
        for n in "ab"
        for priority in (3, 1, 9, 5)
    ]

    assert await take(teller) == ["p3-a", "p1-a", "p1-b", "p3-b"]
    assert await take(teller, replace(CLAIM, aged=4)) == ["p9-a", "p9-b", "p5-a", "p5-b"]
    assert sorted(database.command("LRANGE", teller.key("active"), 0, -1)) == sorted(ids)


async def test_jobs_without_a_priority_do_not_go_before_for_ever(teller: Teller) -> None:
    await teller.add(priority=1)
    await teller.add(priority=MAX_PRIORITY)
    for _ in range(4):
        await teller.add()

    assert await take(teller) == ["1", "3", "4", "5"]
    assert await take(teller, replace(CLAIM, aged=1)) == ["2", "6"]


async def test_the_next_priority_needs_no_share(teller: Teller) -> None:
    for n in range(6):
        await teller.add(priority=7 if n else 8)

    assert await take(teller) == ["1", "2", "3", "4"]
    assert await take(teller) == ["5", "6"]


@pytest.mark.parametrize("aged", [0, 4])
async def test_there_may_be_none_of_them(teller: Teller, aged: int) -> None:
    claim = replace(CLAIM, aged=aged)
    assert await take(teller, claim) == []
    await teller.add(priority=2)
    await teller.add(priority=2)
    assert await take(teller, claim) == ["1", "2"]
    await teller.add()
    assert await take(teller, claim) == ["3"]


async def test_they_count_against_the_limits_of_the_queue(teller: Teller, clock: Clock) -> None:
    await teller.store.limits.set(teller.queue, {"concurrency": 2})
    for priority in (1, 1, 2, 2):
        await teller.add(priority=priority)

    assert await take(teller, replace(CLAIM, aged=3)) == ["3", "4"]
    assert await take(teller) == []
    await teller.store.limits.set(teller.queue, {"concurrency": None})
    assert await take(teller, replace(CLAIM, limit=(1, 1000))) == ["1"]


async def test_so_many_priorities_are_looked_at_from_the_lowest(teller: Teller) -> None:
    for priority in range(1, 41):
        await teller.add(priority=priority)

    # The oldest of the 32 lowest.
    assert await take(teller, replace(CLAIM, count=2)) == ["9", "1"]


async def test_their_cost_is_bound(teller: Teller, database: Database) -> None:
    jobs = [teller.job(priority=1 + n % 500) for n in range(20_000)]
    await teller.store.jobs.add_many(teller.queue, jobs, atomic=False)
    database.command("CONFIG", "RESETSTAT")
    for n in range(20):
        assert len(await take(teller, replace(CLAIM, token=f"t{n}", count=50, aged=25))) == 50

    stats = database.command("INFO", "commandstats")
    assert stats["cmdstat_zrevrangebyscore"]["calls"] == 20 * 32
