"""Both sides work one queue at the same time."""

from __future__ import annotations

import asyncio
import base64
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.interop.scripted import scripted
from tests.support.eventually import eventually
from toril import Job, Queue, RateLimiter


class Tally:
    """What toril's side has run.

    Attributes:
        started: Ids of the jobs, as often as they were started.
        completed: Ids of the jobs that it has completed.
    """

    def __init__(self) -> None:
        self.started: list[str] = []
        self.completed: list[str] = []

    async def handle(self, job: Job) -> Any:
        self.started.append(job.id)
        result = await scripted(job)
        self.completed.append(job.id)
        return result


def ids_of(node: NodePeer, event: str) -> list[str]:
    return [note["jobId"] for note in node.noted(**{"from": "worker", "event": event})]


async def all_done(queue: Queue, count: int) -> bool:
    counts = await queue.get_job_counts("completed", "failed", "active")
    return (counts["completed"] + counts["failed"], counts["active"]) == (count, 0)


async def test_each_of_500_jobs_is_run_once(node: NodePeer, queue: Queue, working: Working) -> None:
    tally = Tally()
    data = {"ms": 5}
    await node.work(concurrency=5)
    async with working(tally.handle, concurrency=5):
        by_node, by_toril = await asyncio.gather(
            node.add_many(*(("slow", data) for _ in range(250))),
            queue.add_many(("slow", data) for _ in range(250)),
        )
        await eventually(lambda: all_done(queue, 500))

    assert (await node.counts())["completed"] == 500
    ids = sorted([*by_node, *(job.id for job in by_toril if isinstance(job, Job))])
    in_node = ids_of(node, "active")
    assert len(ids) == 500
    assert sorted([*tally.started, *in_node]) == ids
    assert len(tally.started) > 20
    assert len(in_node) > 20
    sides = Counter([job.return_value for job in await queue.get_completed()])
    assert sides == {"toril": len(tally.started), "node": len(in_node)}


async def test_delays_priorities_and_retries_on_one_queue(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    tally = Tally()
    await node.work(concurrency=3)
    async with working(tally.handle, concurrency=3):
        for number in range(10):
            await node.add("slow", {"ms": 2}, delay=10 * number)
            await queue.add("slow", {"ms": 2}, delay=0.01 * number)
            await node.add("slow", {"ms": 2}, priority=1 + number)
            await queue.add("slow", {"ms": 2}, priority=1 + number)
            await node.add("fail", {"times": 2}, attempts=3, backoff=5)
            await queue.add("fail", {"times": 2}, attempts=3, backoff=0.005)
            await node.add("fail", {"times": 1}, attempts=2)
            await queue.add("give-up", attempts=3)
        await eventually(lambda: all_done(queue, 80))

    completed, failed = await queue.get_completed(), await queue.get_failed()
    assert (len(completed), len(failed)) == (70, 10)
    assert all(job.attempts_made == 1 for job in failed)
    assert all(job.attempts_made == job.attempts_started for job in completed)
    # A job that fails may change sides between its attempts, but it has no more of them for that.
    assert {job.return_value for job in completed if job.name == "fail"} == {2, 3}
    await node.notes_of(70 - len(tally.completed), **{"from": "worker", "event": "completed"})
    by_both = [*tally.completed, *ids_of(node, "completed")]
    assert sorted(by_both) == sorted(job.id for job in completed)


async def test_a_retry_may_change_sides(node: NodePeer, queue: Queue, working: Working) -> None:
    job = await queue.add("fail", {"times": 1}, attempts=3, backoff=3600)
    async with working():
        await eventually(job.is_delayed)
    await node.work()

    await job.promote()

    assert await job.result(5) == 2
    await job.refresh()
    assert "failure 1 in toril" in job.stacktrace[0]
    assert job.attempts_made == 2
    assert (await node.did("completed", job.id))["value"] == 2


async def test_pausing_in_toril_stops_node(node: NodePeer, queue: Queue) -> None:
    await queue.pause()
    job = await queue.add("echo", 1)
    await node.work()
    # It waits for word of a job, so it has looked, and left this one alone.
    await eventually(lambda: waits_for_word(node, ""))

    assert await node.request("isPaused", queue="work") is True
    assert await job.state() == "waiting"

    await queue.resume()

    assert await job.result(5) == 1


async def test_pausing_in_node_stops_toril(node: NodePeer, queue: Queue, working: Working) -> None:
    await node.request("pause", queue="work")
    job = await node.add("echo", 1)
    async with working(name="anna"):
        await eventually(lambda: waits_for_word(node, ":w:anna"))

        assert await queue.is_paused()
        assert await queue.get_job_state(job["id"]) == "waiting"

        await node.request("resume", queue="work")

        assert await node.result(job["id"]) == 1


async def waits_for_word(node: NodePeer, suffix: str) -> bool:
    workers = await node.request("getWorkers", queue="work")
    return any(it["rawname"].endswith(suffix) and it["cmd"] == "bzpopmin" for it in workers)


# A name with blanks and more than ASCII, neither of which the name of a connection may have.
MANNERED = "Grüß Gott, 日本"


async def test_node_lists_the_worker_of_toril(node: NodePeer, working: Working, prefix: str) -> None:
    start = f"{prefix}:{base64.b64encode(MANNERED.encode()).decode()}"
    await node.work(queue=MANNERED, name="berta")
    async with working(queue=MANNERED, name="anna"), working(queue=MANNERED):
        await eventually(lambda: are_listed(node, start, ["", ":w:anna", ":w:berta"]))

    await eventually(lambda: are_listed(node, start, [":w:berta"]))
    assert await names_of_workers(node, start) == [":w:berta"]


async def names_of_workers(node: NodePeer, start: str) -> list[str]:
    """The names of connections, without the start that stands for the queue."""
    workers = await node.request("getWorkers", queue=MANNERED)
    return sorted(it["rawname"].removeprefix(start) for it in workers)


async def are_listed(node: NodePeer, start: str, names: list[str]) -> bool:
    return await names_of_workers(node, start) == names


async def test_an_idle_worker_is_woken_by_the_other_side(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    async with working(name="anna"):
        await eventually(lambda: waits_for_word(node, ":w:anna"))
        job = await node.add("echo", "wake up")
        assert await node.result(job["id"]) == "wake up"

        await eventually(lambda: waits_for_word(node, ":w:anna"))
        later = await node.add("echo", "wake up later", delay=100)
        assert await node.result(later["id"]) == "wake up later"

    await node.work()
    await eventually(lambda: waits_for_word(node, ""))
    assert await (await queue.add("echo", "you too")).result(5) == "you too"
    assert await (await queue.add("echo", "later", delay=0.1)).result(5) == "later"


@pytest.mark.parametrize("first", ["toril", "node"])
async def test_a_side_that_is_woken_wakes_the_other(
    node: NodePeer, queue: Queue, working: Working, first: str
) -> None:
    """Two jobs are one word, heard only by the worker that has waited longest, which must pass it on."""
    async with AsyncExitStack() as stack:
        for side in (first, *({"toril", "node"} - {first})):
            if side == "node":
                await node.work(name=side)
            else:
                await stack.enter_async_context(working(name=side))
            await eventually(lambda side=side: waits_for_word(node, f":w:{side}"))

        await queue.add_many([("slow", {"ms": 1000})] * 2, atomic=True)
        await eventually(lambda: all_done(queue, 2))

    assert {job.return_value for job in await queue.get_completed()} == {"node", "toril"}


async def test_a_rate_limit_holds_for_both_together(node: NodePeer, queue: Queue, working: Working) -> None:
    await queue.pause()
    await queue.add_many(("echo", number) for number in range(9))
    await node.work(concurrency=5, limiter={"max": 3, "duration": 300})
    async with working(concurrency=5, limiter=RateLimiter(3, per=0.3)):
        await queue.resume()
        await eventually(lambda: all_done(queue, 9))

    starts = sorted(job.processed_on_ms or 0 for job in await queue.get_completed())
    # Each side sends its own time with what it takes, so some ms are no fault.
    assert all(after - before >= 200 for before, after in zip(starts[::3], starts[3::3], strict=False))
    assert len(starts) == 9


async def test_a_limit_set_by_toril_holds_for_node(node: NodePeer, queue: Queue) -> None:
    await node.work(limiter={"max": 100, "duration": 1000})
    assert await (await queue.add("echo", "before")).result(5) == "before"

    begun_ms = time.time() * 1000
    await queue.rate_limit(0.4)
    job = await queue.add("echo", "after")

    assert await job.result(5) == "after"
    await job.refresh()
    assert job.processed_on_ms is not None
    assert job.processed_on_ms - begun_ms >= 350


async def test_a_global_rate_limit_set_by_node_holds_for_both(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.request("setGlobalRateLimit", queue="work", max=2, duration=300)
    await queue.pause()
    await queue.add_many(("echo", number) for number in range(6))
    await node.work(concurrency=5)
    async with working(concurrency=5):
        await queue.resume()
        await eventually(lambda: all_done(queue, 6))

    starts = sorted(job.processed_on_ms or 0 for job in await queue.get_completed())
    assert all(after - before >= 200 for before, after in zip(starts[::2], starts[2::2], strict=False))


async def test_a_global_concurrency_set_by_node_holds_for_both(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.request("setGlobalConcurrency", queue="work", concurrency=2)
    active: list[int] = []

    async def look() -> bool:
        counts = await queue.get_job_counts("completed", "active")
        active.append(counts["active"])
        return counts["completed"] == 20

    await node.work(concurrency=5)
    async with working(concurrency=5):
        await queue.add_many(("slow", {"ms": 30}) for _ in range(20))
        await eventually(look)

    assert max(active) == 2
