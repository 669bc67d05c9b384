"""Reading jobs and queues, changing single jobs, and waiting for word of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from tests.contract.teller import Teller
from tests.support.clock import START_MS, Clock
from tests.support.database import Database
from tests.support.eventually import eventually
from toril import JobError, JobNotFound, JobNotInState, JobOwnedByScheduler, ParentRef
from toril.store.values import Finish


async def refusal(call: Awaitable[object]) -> tuple[type[JobError], int]:
    """Why a call is refused."""
    with pytest.raises(JobError) as caught:
        await call
    return type(caught.value), caught.value.code


async def test_what_needs_a_job_is_refused_without_one(teller: Teller, database: Database) -> None:
    jobs, queue = teller.store.jobs, teller.queue
    before = database.dump()
    for call in (
        jobs.update_data(queue, "77", "1"),
        jobs.update_progress(queue, "77", "1"),
        jobs.log(queue, "77", "row", None),
        jobs.change_delay(queue, "77", 1),
        jobs.change_priority(queue, "77", 1, lifo=False),
        jobs.retry(queue, "77", "failed", "L", ()),
    ):
        assert await refusal(call) == (JobNotFound, -1)
    assert await refusal(jobs.promote(queue, "77")) == (JobNotInState, -3)
    assert await jobs.get(queue, "77") is None
    assert (await jobs.outcome(queue, "77"))[0] == "missing"
    assert await jobs.remove(queue, "77", with_children=True)
    assert database.dump() == before


async def test_what_needs_a_state_is_refused_in_others(teller: Teller) -> None:
    jobs, queue = teller.store.jobs, teller.queue
    await teller.add()
    for call in (
        jobs.promote(queue, "1"),
        jobs.change_delay(queue, "1", 1),
        jobs.retry(queue, "1", "failed", "L", ()),
        jobs.retry(queue, "1", "completed", "L", ()),
    ):
        assert await refusal(call) == (JobNotInState, -3)
    assert await teller.state("1") == "waiting"


async def test_the_next_iteration_of_a_scheduler_is_not_removed(teller: Teller, database: Database) -> None:
    database.command("ZADD", teller.key("repeat"), 123, "daily")
    database.command("HSET", teller.key("repeat:daily:123"), "rjk", "daily", "name", "work")

    assert await refusal(teller.store.jobs.remove(teller.queue, "repeat:daily:123", with_children=True)) == (
        JobOwnedByScheduler,
        -8,
    )


@pytest.mark.parametrize(
    "name",
    [
        *("meta", "events", "wait", "delayed", "marker", "id", "repeat", "metrics", "metrics:completed"),
        *("repeat:daily", "de:d", "1:logs", "1:processed"),
    ],
)
async def test_other_keys_of_a_queue_are_no_jobs(teller: Teller, database: Database, name: str) -> None:
    rule = {"id": "d", "ttl": 600}
    await teller.add(deduplication=rule)
    await teller.add(delay=60)
    await teller.store.jobs.log(teller.queue, "1", "row", None)
    await teller.store.limits.set(teller.queue, {"concurrency": 3})
    database.command("ZADD", teller.key("repeat"), 123, "daily")
    database.command("HSET", teller.key("repeat:daily"), "name", "daily", "ic", 1)
    database.command("HSET", teller.key("1:processed"), "child", "1")
    for state in ("completed", "failed"):
        database.command("HSET", teller.key(f"metrics:{state}"), "count", 7)
    before = database.dump()

    assert await teller.store.jobs.remove(teller.queue, name, with_children=True)
    after = database.dump()
    assert {key: after[key].value for key in after} == {key: before[key].value for key in before}


async def test_a_slot_is_free_when_its_lost_job_is_removed(teller: Teller, database: Database) -> None:
    await teller.store.limits.set(teller.queue, {"concurrency": 1})
    await teller.add()
    await teller.take()
    await teller.add()
    database.command("DEL", teller.key("1:lock"), teller.key("marker"))

    assert await teller.store.jobs.remove(teller.queue, "1", with_children=True)
    assert database.dump()[teller.key("marker")].value == {"0": "0"}
    assert await teller.take() == ["2"]


async def test_a_locked_job_is_not_removed_nor_is_its_parent(teller: Teller) -> None:
    await teller.add(job_id="parent", delay=60)
    await teller.add(job_id="child", parent=ParentRef("parent", teller.queue.qualified))
    assert await teller.take() == ["child"]
    jobs = teller.store.jobs

    assert not await jobs.remove(teller.queue, "child", with_children=False)
    assert not await jobs.remove(teller.queue, "parent", with_children=True)
    assert await jobs.remove(teller.queue, "parent", with_children=False)


async def test_jobs_that_are_their_own_parents_can_be_removed(teller: Teller, database: Database) -> None:
    queue = teller.queue
    await teller.add(job_id="self")
    await teller.add_existing(job_id="self", parent=ParentRef("self", queue.qualified))
    await teller.add(job_id="one")
    await teller.add(job_id="two", parent=ParentRef("one", queue.qualified))
    await teller.add_existing(job_id="one", parent=ParentRef("two", queue.qualified))

    assert await teller.store.jobs.remove(queue, "self", with_children=True)
    assert await teller.store.jobs.remove(queue, "one", with_children=True)
    assert [id for id in ("self", "one", "two") if queue.job_key(id) in database.dump()] == []


async def test_a_finished_job_tells_its_outcome(teller: Teller) -> None:
    await teller.add()
    state, _, end = await teller.store.jobs.outcome(teller.queue, "1")
    assert (state, end) == ("unfinished", (await teller.store.events.end(teller.queue)).id)
    await teller.take()
    await teller.settle(Finish("1", "token", "completed", '"x"'))
    state, record, _ = await teller.store.jobs.outcome(teller.queue, "1")

    assert (state, record.return_value) == ("completed", "x")


async def test_reports_at_the_same_time_keep_their_order(teller: Teller) -> None:
    await teller.add()
    jobs, queue = teller.store.jobs, teller.queue
    counts = await asyncio.gather(*(jobs.log(queue, "1", str(n), 150) for n in range(200)))

    assert counts == [min(n + 1, 150) for n in range(200)]
    assert (await jobs.logs(queue, "1", 0, -1, ascending=True)).rows == [str(n) for n in range(50, 200)]


async def test_clearing_a_log(teller: Teller) -> None:
    await teller.add()
    jobs, queue = teller.store.jobs, teller.queue
    for n in range(5):
        await jobs.log(queue, "1", str(n), None)
    await jobs.clear_logs(queue, "1", 2)
    assert (await jobs.logs(queue, "1", 0, -1, ascending=False)).rows == ["4", "3"]
    await jobs.clear_logs(queue, "1", 0)
    assert (await jobs.logs(queue, "1", 0, -1, ascending=True)).count == 0


async def test_a_delay_counts_from_now(teller: Teller, clock: Clock, database: Database) -> None:
    await teller.add(delay=60)
    clock.forward(10)
    await teller.store.jobs.change_delay(teller.queue, "1", 5000)

    assert database.command("ZSCORE", teller.key("delayed"), "1") == (START_MS + 15_000) * 4096


async def test_jobs_are_paged_in_both_directions(teller: Teller) -> None:
    for _ in range(5):
        await teller.add()
    queues = teller.store.queues

    async def page(first: int, last: int, ascending: bool) -> list[str]:
        jobs = await queues.page(teller.queue, ("waiting",), first, last, ascending=ascending)
        return [job.id for job in jobs]

    assert await page(0, -1, True) == ["1", "2", "3", "4", "5"]
    assert await page(1, 2, True) == ["2", "3"]
    assert await page(0, 1, False) == ["5", "4"]
    assert await page(3, 90, True) == ["4", "5"]
    assert await page(7, 9, True) == []


async def test_all_states_are_counted(teller: Teller) -> None:
    await teller.add()
    await teller.add(delay=60)
    await teller.add(priority=1)
    await teller.add()
    await teller.take()
    states = ("waiting", "active", "delayed", "prioritized", "completed", "failed", "waiting-children")

    assert await teller.store.queues.counts(teller.queue, states) == [1, 1, 1, 1, 0, 0, 0]
    assert await teller.store.queues.counts_per_priority(teller.queue, (0, 1, 2)) == [1, 1, 0]


async def test_finished_jobs_run_again(teller: Teller, clock: Clock) -> None:
    for _ in range(5):
        await teller.add()
    await teller.take(5)
    await teller.settle(*(Finish(str(n), "token", "failed", "broken") for n in (1, 2, 3)))
    clock.forward(10)
    await teller.settle(*(Finish(str(n), "token", "failed", "broken") for n in (4, 5)))
    queues = teller.store.queues

    assert await queues.retry_jobs(teller.queue, "failed", 2, START_MS + 5000) == 3
    assert await queues.retry_jobs(teller.queue, "failed", 1, None) == 2
    assert await teller.take(9) == ["1", "2", "3", "4", "5"]


async def test_the_meta_of_a_queue(teller: Teller) -> None:
    queues = teller.store.queues
    await queues.announce(teller.queue, 77)
    await queues.pause(teller.queue)
    meta = await queues.meta(teller.queue)

    assert (meta["opts.maxLenEvents"], meta["paused"], meta["version"][:6]) == ("77", "1", "toril:")
    assert await queues.is_paused(teller.queue)
    await queues.resume(teller.queue)
    assert not await queues.is_paused(teller.queue)


async def test_what_version_5_parked_goes_on_first(teller: Teller, database: Database) -> None:
    await teller.add()
    database.command("RPUSH", teller.key("paused"), *(f"old-{n}" for n in range(8000)))
    database.command("HSET", teller.key("meta"), "paused", 1)
    await teller.store.queues.resume(teller.queue)

    assert database.command("EXISTS", teller.key("paused")) == 0
    assert database.command("LLEN", teller.key("wait")) == 8001
    assert await teller.take(2) == ["old-7999", "old-7998"]


async def test_a_waiter_hears_of_a_job(teller: Teller) -> None:
    waiter = teller.store.waiter(teller.queue, None)
    try:
        waiting = asyncio.create_task(waiter.wait(5))
        await teller.add()
        assert await asyncio.wait_for(waiting, 3) == 0
        assert await waiter.wait(0.01) is None
        await teller.add(delay=60)
        assert await asyncio.wait_for(waiter.wait(5), 3) == START_MS + 60_000
    finally:
        await waiter.close()


async def test_a_waiter_knows_whether_there_is_anything_new(teller: Teller, database: Database) -> None:
    waiter = teller.store.waiter(teller.queue, None)
    try:
        assert await waiter.is_quiet(0)
        assert not await waiter.is_quiet(START_MS + 60_000)
        await teller.add(delay=60)
        assert await waiter.is_quiet(START_MS + 60_000)
        assert not await waiter.is_quiet(START_MS + 59_999)
        assert not await waiter.is_quiet(0)
        await teller.add(priority=7)
        assert not await waiter.is_quiet(START_MS + 60_000)
        database.command("DEL", teller.key("prioritized"), teller.key("delayed"))
        assert await waiter.is_quiet(0)
        await teller.add()
        assert not await waiter.is_quiet(0)
    finally:
        await waiter.close()


async def test_what_may_be_lost_is_an_active_job(teller: Teller) -> None:
    await teller.add()
    assert not await teller.store.jobs.may_be_lost(teller.queue)
    await teller.take(1)
    assert await teller.store.jobs.may_be_lost(teller.queue)


async def test_a_waiter_can_be_closed_while_it_waits(teller: Teller, database: Database) -> None:
    waiter = teller.store.waiter(teller.queue, "w1")
    waiting = asyncio.create_task(waiter.wait(5))
    await eventually(lambda: any(client["cmd"] == "bzpopmin" for client in database.clients()))
    waiting.cancel()
    await asyncio.wait([waiting])
    await waiter.close()
    await teller.add()

    await eventually(lambda: not any(client["cmd"] == "bzpopmin" for client in database.clients()))
    assert database.command("ZCARD", teller.key("marker")) == 1
