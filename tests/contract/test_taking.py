"""Taking jobs, the terms on which they are taken, renewing and recovering what was taken."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from tests.contract.teller import Teller
from tests.support.clock import START_MS, Clock
from tests.support.database import Database
from toril.store.values import Claim, Finish, NewJob

CLAIM = Claim(token="token", lock_ms=30_000, count=10)


async def test_jobs_come_with_their_lock(teller: Teller, database: Database) -> None:
    await teller.add()
    taken = await teller.store.jobs.take(teller.queue, replace(CLAIM, worker="w1"))

    assert [(job.id, job.token, job.processed_by, job.attempts_started) for job in taken.jobs] == [
        ("1", "token", "w1", 1)
    ]
    assert database.command("GET", teller.key("1:lock")) == "token"
    assert 20_000 < database.command("PTTL", teller.key("1:lock")) <= 30_000


async def test_there_may_be_none(teller: Teller) -> None:
    taken = await teller.store.jobs.take(teller.queue, CLAIM)

    assert (taken.jobs, taken.limited_ms, taken.next_due_ms, taken.closed) == ([], 0, 0, False)


async def test_waiting_jobs_come_before_those_with_a_priority(teller: Teller) -> None:
    await teller.add(priority=2)
    await teller.add(priority=1)
    await teller.add()

    assert await teller.take(3) == ["3", "2", "1"]


async def test_the_next_due_time_is_told(teller: Teller) -> None:
    await teller.add(delay=7)
    taken = await teller.store.jobs.take(teller.queue, CLAIM)

    assert (taken.jobs, taken.next_due_ms) == ([], START_MS + 7000)


async def test_due_jobs_are_taken(teller: Teller, clock: Clock) -> None:
    await teller.add(delay=7)
    clock.forward(7)

    assert await teller.take() == ["1"]
    assert teller.events("delayed", "waiting", "active") == [
        ("delayed", "1"),
        ("waiting", "1"),
        ("active", "1"),
    ]


async def test_thousands_of_due_jobs_are_taken_in_order(teller: Teller, clock: Clock) -> None:
    jobs = [teller.job(delay=1 + n / 1000) for n in range(2500)]
    await teller.store.jobs.add_many(teller.queue, jobs, atomic=False)
    clock.forward(10)
    taken: list[str] = []
    for _ in range(50):
        taken.extend(await teller.take(50))

    assert taken == [str(n + 1) for n in range(2500)]


async def test_nothing_is_taken_from_a_paused_queue(teller: Teller) -> None:
    await teller.add()
    await teller.store.queues.pause(teller.queue)
    taken = await teller.store.jobs.take(teller.queue, CLAIM)

    assert (taken.jobs, taken.closed) == ([], True)


async def test_no_more_are_active_than_the_queue_allows(teller: Teller, database: Database) -> None:
    for _ in range(5):
        await teller.add()
    database.command("HSET", teller.key("meta"), "concurrency", 2)
    taken = await teller.store.jobs.take(teller.queue, CLAIM)

    assert ([job.id for job in taken.jobs], taken.closed) == (["1", "2"], True)
    await teller.settle(Finish("1", "token", "completed", "1"))
    assert await teller.take(5) == ["3"]


async def test_no_more_start_than_the_limit_allows(teller: Teller) -> None:
    for _ in range(5):
        await teller.add()
    limited = replace(CLAIM, limit=(3, 60_000))
    taken = await teller.store.jobs.take(teller.queue, limited)

    assert [job.id for job in taken.jobs] == ["1", "2", "3"]
    assert 50_000 < taken.limited_ms <= 60_000
    assert (await teller.store.jobs.take(teller.queue, limited)).jobs == []


async def test_a_limit_of_the_queue_goes_before_the_claims(teller: Teller, database: Database) -> None:
    for _ in range(5):
        await teller.add()
    database.command("HSET", teller.key("meta"), "max", 1, "duration", 60_000)
    taken = await teller.store.jobs.take(teller.queue, replace(CLAIM, limit=(3, 60_000)))

    assert [job.id for job in taken.jobs] == ["1"]


async def test_a_lost_answer_finds_the_jobs_again(teller: Teller) -> None:
    for _ in range(5):
        await teller.add()
    claim = replace(CLAIM, count=3)
    await teller.store.jobs.take(teller.queue, claim)
    again = await teller.store.jobs.take(teller.queue, claim, again=True)

    assert sorted(job.id for job in again.jobs) == ["1", "2", "3"]
    assert {job.token for job in again.jobs} == {"token"}
    assert await teller.store.queues.counts(teller.queue, ("waiting", "active")) == [2, 3]


async def test_an_answer_that_was_lost_before_anything_was_done(teller: Teller) -> None:
    await teller.add()

    assert [job.id for job in (await teller.store.jobs.take(teller.queue, CLAIM, again=True)).jobs] == ["1"]


@pytest.mark.parametrize("damage", ["SET", "RPUSH"])
async def test_what_is_no_job_is_passed_over(teller: Teller, database: Database, damage: str) -> None:
    for _ in range(3):
        await teller.add()
    database.command("DEL", teller.key("2"))
    database.command(damage, teller.key("2"), "not a job")

    assert await teller.take(3) == ["1", "3"]
    assert await teller.store.queues.counts(teller.queue, ("waiting", "active")) == [0, 2]


async def test_marks_of_old_versions_are_no_jobs(teller: Teller, database: Database) -> None:
    await teller.add()
    database.command("RPUSH", teller.key("wait"), "0:17", "0:0")

    assert await teller.take(3) == ["1"]


async def test_locks_are_renewed(teller: Teller, database: Database) -> None:
    for _ in range(3):
        await teller.add()
    await teller.take(3)
    database.command("SET", teller.key("2:lock"), "of another")
    lost = await teller.store.jobs.renew(
        teller.queue, [("1", "token"), ("2", "token"), ("77", "token"), ("3", "token")], 90_000
    )

    assert lost == ["2", "77"]
    assert database.command("PTTL", teller.key("1:lock")) > 80_000


async def test_thousands_of_locks_are_renewed(teller: Teller) -> None:
    await teller.store.jobs.add_many(teller.queue, [teller.job() for _ in range(2500)], atomic=False)
    locks = [(id, "token") for _ in range(25) for id in await teller.take(100)]

    assert await teller.store.jobs.renew(teller.queue, locks, 90_000) == []


async def test_a_renewer_does_the_same_for_a_thread(teller: Teller, database: Database) -> None:
    await teller.add()
    await teller.take()

    async def renew() -> list[str]:
        renewer = teller.store.renewer()
        try:
            renewed = await renewer.renew(teller.queue, [("1", "token"), ("2", "token")], 90_000)
            return renewed.lost
        finally:
            await renewer.close()

    assert await asyncio.to_thread(asyncio.run, renew()) == ["2"]
    assert database.command("PTTL", teller.key("1:lock")) > 80_000


async def test_jobs_without_a_lock_at_two_looks_are_recovered(teller: Teller, database: Database) -> None:
    for _ in range(3):
        await teller.add()
    await teller.take(3)
    database.command("DEL", teller.key("2:lock"))
    looks = [await look(teller, database) for _ in range(3)]

    assert looks == [[], ["2"], []]
    assert teller.events("stalled") == [("stalled", "2")]
    assert await teller.state("2") == "waiting"


async def look(teller: Teller, database: Database) -> list[str]:
    database.command("DEL", teller.key("stalled-check"))
    return await teller.store.jobs.recover_stalled(teller.queue, 1, 30_000)


async def test_only_one_looks_in_an_interval(teller: Teller, database: Database) -> None:
    await teller.add()
    await teller.take()
    database.command("DEL", teller.key("1:lock"))
    first = await teller.store.jobs.recover_stalled(teller.queue, 1, 30_000)
    second = await teller.store.jobs.recover_stalled(teller.queue, 1, 30_000)

    assert (first, second) == ([], [])
    assert await teller.state("1") == "active"


def of_size(teller: Teller, size: int, priority: int = 0) -> NewJob:
    """A job with so large a payload."""
    job = teller.job(priority=priority)
    job.data = '"' + "x" * (size - 2) + '"'
    return job


async def test_large_jobs_are_taken_in_parts_in_order(teller: Teller, database: Database) -> None:
    sizes = [(2, 0), (400_000, 0), (2, 0), (400_000, 0), (400_000, 0), (2, 0), (400_000, 1), (2, 1)]
    jobs = [of_size(teller, size, priority) for size, priority in sizes]
    await teller.store.jobs.add_many(teller.queue, jobs, atomic=False)

    first = await teller.store.jobs.take(teller.queue, replace(CLAIM, count=50))
    assert ([job.id for job in first.jobs], first.more) == (["1", "2", "3", "4", "5"], True)
    assert database.command("LRANGE", teller.key("active"), 0, -1) == ["5", "4", "3", "2", "1"]
    assert database.command("LRANGE", teller.key("wait"), 0, -1) == ["6"]
    assert database.command("ZRANGE", teller.key("prioritized"), 0, -1) == ["7", "8"]
    assert await teller.take(50) == ["6", "7", "8"]


async def test_large_jobs_of_the_same_priority_keep_their_places(teller: Teller, database: Database) -> None:
    jobs = [of_size(teller, 600_000, priority=5) for _ in range(5)]
    await teller.store.jobs.add_many(teller.queue, jobs, atomic=False)
    before = database.command("ZRANGE", teller.key("prioritized"), 0, -1, "WITHSCORES")

    assert await teller.take(50) == ["1", "2"]
    after = database.command("ZRANGE", teller.key("prioritized"), 0, -1, "WITHSCORES")
    assert after == before[len(before) // 5 * 2 :]
    assert database.command("EXISTS", teller.key("3:lock"), teller.key("5:lock")) == 0
    assert [len(await teller.take(50)) for _ in range(3)] == [2, 1, 0]


async def test_large_jobs_that_are_put_off_do_not_count_as_started(
    teller: Teller, database: Database
) -> None:
    jobs = [of_size(teller, 600_000) for _ in range(5)]
    await teller.store.jobs.add_many(teller.queue, jobs, atomic=False)
    claim = replace(CLAIM, count=50, limit=(3, 60_000))

    assert [job.id for job in (await teller.store.jobs.take(teller.queue, claim)).jobs] == ["1", "2"]
    assert int(database.command("GET", teller.key("limiter"))) == 2
    taken = await teller.store.jobs.take(teller.queue, claim)
    assert ([job.id for job in taken.jobs], taken.more) == (["3"], False)


async def test_the_locks_of_jobs_that_are_found_again_begin_anew(teller: Teller, database: Database) -> None:
    await teller.add()
    await teller.store.jobs.take(teller.queue, CLAIM)
    database.command("SET", teller.key("1:lock"), CLAIM.token, "PX", 5_000)
    found = await teller.store.jobs.take(teller.queue, CLAIM, again=True)

    assert [job.id for job in found.jobs] == ["1"]
    assert database.command("PTTL", teller.key("1:lock")) > 5_000
