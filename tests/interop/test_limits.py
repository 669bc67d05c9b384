"""Limits that one side sets, and workers of both sides keep to while they share the work."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.support.database import Database
from tests.support.eventually import eventually
from toril import Job, Queue, RateLimit, RateLimiter


class Counting:
    """The handler of toril that counts as the processor `counted` of Node does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, job: Job) -> dict[str, Any]:
        running = self._database.command("INCR", job.data["counter"])
        await asyncio.sleep(job.data["ms"] / 1000)
        self._database.command("DECR", job.data["counter"])
        return {"side": "toril", "running": running}


@pytest.fixture
def counting(database: Database) -> Counting:
    return Counting(database)


async def finish(queue: Queue, count: int) -> list[Job]:
    """The jobs, as soon as so many have completed; those that started first come first."""
    await eventually(lambda: have_finished(queue, count))
    assert [job.failed_reason for job in await queue.get_failed()] == []
    return sorted(await queue.get_completed(), key=lambda job: job.processed_on_ms or 0)


async def have_finished(queue: Queue, count: int) -> bool:
    counts = await queue.get_job_counts("completed", "failed")
    return counts["completed"] + counts["failed"] == count


async def limit(node: NodePeer, queue: Queue, side: str, **limits: int) -> None:
    """Let a side limit the queue: `concurrency`, or `max` in `duration` ms."""
    if side == "node":
        name = "setGlobalConcurrency" if "concurrency" in limits else "setGlobalRateLimit"
        await node.request(name, queue="work", **limits)
    elif "concurrency" in limits:
        await queue.set_global_concurrency(limits["concurrency"])
    else:
        await queue.set_global_rate_limit(limits["max"], limits["duration"] / 1000)


@pytest.mark.parametrize("set_by", ["node", "toril"])
async def test_a_global_concurrency_is_shared(
    node: NodePeer, queue: Queue, prefix: str, working: Working, counting: Counting, set_by: str
) -> None:
    """A worker that finishes a job takes the next one, so none alone may take all that the limit allows."""
    await limit(node, queue, set_by, concurrency=3)
    await queue.add_many(("counted", {"ms": 20, "counter": f"{prefix}-running"}) for _ in range(60))
    await node.work(concurrency=2)
    async with working(counting, concurrency=2):
        jobs = await finish(queue, 60)

    assert max(job.return_value["running"] for job in jobs) == 3
    sides = Counter(job.return_value["side"] for job in jobs)
    assert min(sides["node"], sides["toril"]) >= 5, sides


@pytest.mark.parametrize("set_by", ["node", "toril"])
async def test_a_global_rate_limit_is_shared(
    node: NodePeer, queue: Queue, prefix: str, working: Working, counting: Counting, set_by: str
) -> None:
    await limit(node, queue, set_by, max=6, duration=400)
    await queue.pause()
    await queue.add_many(("counted", {"ms": 40, "counter": f"{prefix}-running"}) for _ in range(24))
    await node.work()
    async with working(counting):
        await queue.resume()
        jobs = await finish(queue, 24)

    starts = [job.processed_on_ms or 0 for job in jobs]
    # Each side sends its own time with what it takes, so some ms are no fault.
    assert all(after - before >= 300 for before, after in zip(starts[::6], starts[6::6], strict=False))
    sides = Counter(job.return_value["side"] for job in jobs)
    assert min(sides["node"], sides["toril"]) >= 3, sides


async def test_limits_are_read_and_removed_by_the_other_side(node: NodePeer, queue: Queue) -> None:
    await limit(node, queue, "toril", concurrency=4)
    await limit(node, queue, "toril", max=5, duration=600)
    assert await node.request("getGlobalConcurrency", queue="work") == 4
    assert await node.request("getGlobalRateLimit", queue="work") == {"max": 5, "duration": 600}
    await node.request("removeGlobalConcurrency", queue="work")
    await node.request("removeGlobalRateLimit", queue="work")
    assert (await queue.get_global_concurrency(), await queue.get_global_rate_limit()) == (None, None)

    await limit(node, queue, "node", concurrency=7)
    await limit(node, queue, "node", max=8, duration=900)
    assert await queue.get_global_concurrency() == 7
    assert await queue.get_global_rate_limit() == RateLimiter(8, 0.9)
    await queue.remove_global_concurrency()
    await queue.remove_global_rate_limit()
    assert await node.request("getGlobalConcurrency", queue="work") is None
    assert await node.request("getGlobalRateLimit", queue="work") is None


@pytest.mark.parametrize("limited", ["node", "toril"])
async def test_a_limit_of_one_worker_leaves_the_other_side_alone(
    node: NodePeer, queue: Queue, prefix: str, working: Working, counting: Counting, limited: str
) -> None:
    """One side may start two jobs in a minute, the other one is not limited and does the rest."""
    await queue.pause()
    await queue.add_many(("counted", {"ms": 10, "counter": f"{prefix}-running"}) for _ in range(20))
    theirs: dict[str, Any] = {"limiter": {"max": 2, "duration": 60_000}} if limited == "node" else {}
    await node.work(**theirs)
    limiter = RateLimiter(2, per=60) if limited == "toril" else None
    async with working(counting, limiter=limiter):
        await queue.resume()
        jobs = await finish(queue, 20)

    sides = Counter(job.return_value["side"] for job in jobs)
    assert sides[limited] <= 2
    assert sum(sides.values()) == 20


@pytest.mark.parametrize("limited_by", ["node", "toril"])
async def test_a_halt_holds_for_the_other_side(
    node: NodePeer, queue: Queue, working: Working, limited_by: str
) -> None:
    """The queue is told that nothing may start for a while, from outside of a job."""
    if limited_by == "node":
        await node.request("rateLimit", queue="work", ms=400)
    else:
        await queue.rate_limit(0.4)
    left = await queue.get_rate_limit_ttl()
    assert left is not None
    assert 200 < await node.request("getRateLimitTtl", queue="work") <= left * 1000 <= 400
    job = await queue.add("echo", 1)
    if limited_by == "node":
        async with working(limiter=RateLimiter(100, per=1)):
            assert await job.result(5) == 1
    else:
        await node.work(limiter={"max": 100, "duration": 1000})
        assert await job.result(5) == 1

    await job.refresh()
    assert (job.processed_on_ms or 0) - job.timestamp_ms >= 300


@pytest.mark.parametrize("limited_by", ["node", "toril"])
async def test_a_job_that_finds_a_limit_holds_up_the_other_side(
    node: NodePeer, queue: Queue, working: Working, limited_by: str
) -> None:
    """The job goes back without an attempt, and the other side takes it when the time is over."""

    async def find(job: Job) -> str:
        if job.attempts_started > 1:
            return "toril"
        raise RateLimit(0.4)

    job = await queue.add("limited", {"ms": 400})
    if limited_by == "node":
        await node.work(limiter={"max": 100, "duration": 1000})
        await eventually(lambda: is_held(queue, job))
        await node.request("closeWorkers")
        async with working(find, limiter=RateLimiter(100, per=1)):
            result = await job.result(5)
    else:
        async with working(find, limiter=RateLimiter(100, per=1)):
            await eventually(lambda: is_held(queue, job))
        await node.work(limiter={"max": 100, "duration": 1000})
        result = await job.result(5)

    assert result == ("toril" if limited_by == "node" else "node")
    await job.refresh()
    assert (job.attempts_started, job.attempts_made) == (2, 1)
    assert (job.processed_on_ms or 0) - job.timestamp_ms >= 300


async def is_held(queue: Queue, job: Job) -> bool:
    await job.refresh()
    return job.attempts_started == 1 and await job.is_waiting() and bool(await queue.get_rate_limit_ttl())


async def test_a_halt_is_ended_by_the_other_side(node: NodePeer, queue: Queue) -> None:
    await queue.rate_limit(3600)
    await node.request("removeRateLimitKey", queue="work")
    assert await queue.get_rate_limit_ttl() is None

    await node.request("rateLimit", queue="work", ms=3_600_000)
    await queue.remove_rate_limit_key()
    assert await node.request("getRateLimitTtl", queue="work") < 0

    await node.work(limiter={"max": 100, "duration": 1000})
    assert await (await queue.add("echo", 1)).result(5) == 1
