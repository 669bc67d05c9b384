"""The official Python port of BullMQ and toril on the same queues."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.payloads import PAYLOADS
from tests.interop.peer import PARENTS
from tests.interop.port import PortPeer
from tests.support.database import Database
from tests.support.eventually import eventually
from toril import Flow, FlowProducer, Job, JobFailed, Queue


async def job_of(queue: Queue, added: dict[str, Any]) -> Job:
    job = await queue.get_job(added["id"])
    assert job is not None
    return job


async def test_toril_runs_its_jobs(port: PortPeer, queue: Queue, working: Working) -> None:
    jobs = [await job_of(queue, await port.add("echo", payload)) for payload in PAYLOADS]
    retried = await job_of(queue, await port.add("fail", {"times": 1}, attempts=2, backoff=10))
    hopeless = await job_of(queue, await port.add("give-up", attempts=3))
    async with working(concurrency=3):
        assert [await job.result(5) for job in jobs] == PAYLOADS
        assert await retried.result(5) == 2
        with pytest.raises(JobFailed, match="hopeless in toril"):
            await hopeless.result(5)

    for job, payload in zip(jobs, PAYLOADS, strict=True):
        read = await port.job(job.id)
        assert (read["state"], read["data"], read["returnvalue"]) == ("completed", payload, payload)
    read = await port.job(hopeless.id)
    assert (read["state"], read["failedReason"], read["attemptsMade"]) == ("failed", "hopeless in toril", 1)


async def test_it_runs_the_jobs_of_toril(port: PortPeer, queue: Queue) -> None:
    jobs = [await queue.add("echo", payload) for payload in PAYLOADS]
    retried = await queue.add("fail", {"times": 1}, attempts=2, backoff=0.01)
    hopeless = await queue.add("give-up", attempts=3)
    await port.work(concurrency=3)

    assert [await job.result(5) for job in jobs] == PAYLOADS
    assert await retried.result(5) == 2
    with pytest.raises(JobFailed, match="hopeless in the port"):
        await hopeless.result(5)
    assert hopeless.attempts_made == 1


@pytest.mark.parametrize("added_by", ["port", "toril"])
async def test_a_delay_is_kept(port: PortPeer, queue: Queue, working: Working, added_by: str) -> None:
    if added_by == "port":
        job = await job_of(queue, await port.add("echo", "later", delay=200))
        assert await job.is_delayed()
        async with working():
            assert await job.result(5) == "later"
    else:
        job = await queue.add("echo", "later", delay=0.2)
        assert (await port.job(job.id))["state"] == "delayed"
        await port.work()
        assert await job.result(5) == "later"

    await job.refresh()
    assert 200 <= (job.processed_on_ms or 0) - job.timestamp_ms < 3000


@pytest.mark.parametrize("run_by", ["port", "toril"])
async def test_the_order_is_that_of_priorities(
    port: PortPeer, queue: Queue, database: Database, working: Working, prefix: str, run_by: str
) -> None:
    ids = {priority: (await port.add("echo", priority=priority))["id"] for priority in (3, 0, 5)}
    ids |= {priority: (await queue.add("echo", priority=priority)).id for priority in (4, 2, 1)}
    if run_by == "port":
        await port.work()
        await eventually(lambda: has_completed(queue, 6))
    else:
        async with working():
            await eventually(lambda: has_completed(queue, 6))

    active = [event["jobId"] for event in database.events(f"{prefix}:work:") if event["event"] == "active"]
    assert active == [ids[priority] for priority in range(6)]


async def has_completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count


@pytest.mark.parametrize("added_by", ["port", "toril"])
async def test_flows(
    port: PortPeer, flows: FlowProducer, parents: Queue, working: Working, prefix: str, added_by: str
) -> None:
    """Three levels: the root and the leaf are run by the port, what is between them by toril."""
    leaf: dict[str, Any] = {
        "name": "echo",
        "queueName": "leaves",
        "data": {"deep": True},
        "opts": {"priority": 2},
    }
    middle: dict[str, Any] = {"name": "gather", "queueName": "work", "data": {}, "children": [leaf]}
    tree: dict[str, Any] = {"name": "gather", "queueName": PARENTS, "data": {}, "children": [middle]}
    if added_by == "port":
        ids = await port.add_tree(tree)
        root, middle_id = await job_of(parents, ids), ids["children"][0]["id"]
    else:
        node = await flows.add(Flow.from_bullmq(tree))
        root, middle_id = node.job, node.children[0].job.id
    assert await root.is_waiting_children()
    await port.work(queue="leaves")
    await port.work(queue=PARENTS)
    async with working():
        values = await root.result(8)

    [(key, below)] = values.items()
    assert key == f"{prefix}:work:{middle_id}"
    assert list(below.values()) == [{"deep": True}]


async def test_a_child_that_fails_in_the_port_fails_its_parent_in_toril(
    port: PortPeer, flows: FlowProducer, working: Working
) -> None:
    child = Flow("give-up", queue="work", on_failure="fail_parent")
    tree = await flows.add(Flow("gather", queue=PARENTS, children=[child]))
    await port.work()
    async with working(queue=PARENTS):
        with pytest.raises(JobFailed) as caught:
            await tree.job.result(8)

    cause = caught.value.caused_by_child
    assert cause is not None
    assert (cause.id, cause.reason) == (tree.children[0].job.id, "hopeless in the port")
