"""Time limits that Node does not know, and jobs of Node that toril cancels."""

from __future__ import annotations

import asyncio

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.support.eventually import eventually
from toril import Cancellation, Job, JobSpec, Queue


async def test_node_runs_a_job_with_limits_as_if_it_had_none(node: NodePeer, queue: Queue) -> None:
    job = await queue.add("slow", {"ms": 50}, timeout=0.01, soft_timeout=0.005, expires_in=60)
    await node.work()

    assert await job.result(timeout=10) == "node"
    assert (await node.job(job.id))["opts"]["toril"] == {
        "timeout": 10,
        "softTimeout": 5,
        "expiresIn": 60_000,
    }


async def test_limits_of_a_scheduler_reach_the_jobs_that_node_makes(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    async def handler(job: Job) -> None:
        await asyncio.Event().wait()

    template = JobSpec("echo", None, {"timeout": 0.05})
    await queue.upsert_job_scheduler("often", template, every=1, missed="skip", limit=2)
    await node.work()
    await eventually(lambda: _count(queue, "completed", 1))
    await node.request("closeWorkers")

    async with working(handler):
        await eventually(lambda: _count(queue, "failed", 1))
    (failed,) = await queue.get_failed()
    assert failed.failed_reason == "timed out after 0.05 s"
    assert failed.opts["toril"] == {"timeout": 50, "missed": "skip"}


async def _count(queue: Queue, state: str, count: int) -> bool:
    return (await queue.get_job_counts(state))[state] == count


async def test_a_job_that_node_runs_goes_on_and_toril_says_so(node: NodePeer, queue: Queue) -> None:
    await node.work()
    job = await queue.add("slow", {"ms": 500})
    await eventually(job.is_active)

    assert await queue.cancel(job.id) is Cancellation.UNREACHABLE

    assert await job.result(timeout=10) == "node"


async def test_a_job_that_fails_in_node_is_not_tried_again(node: NodePeer, queue: Queue) -> None:
    await node.work()
    job = await queue.add("fail", {"times": 100}, attempts=100, backoff=0.3)
    await eventually(job.is_delayed)

    # It may be running at this moment, and is then marked.
    assert await queue.cancel(job.id) in (Cancellation.CANCELLED, Cancellation.UNREACHABLE)

    await eventually(job.is_failed)
    await job.refresh()
    assert job.failed_reason == "cancelled"


async def test_node_sees_a_cancelled_job_as_one_that_failed(node: NodePeer, queue: Queue) -> None:
    await node.request("events", queue="work")
    job = await queue.add("echo", delay=60)
    waiting = asyncio.create_task(node.told("failed", job.id))

    await job.cancel()

    assert (await waiting)["failedReason"] == "cancelled"
    seen = await node.job(job.id)
    assert (seen["state"], seen["failedReason"], seen["attemptsMade"]) == ("failed", "cancelled", 0)
