"""What Node adds, toril runs, and Node reads what became of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodeError, NodePeer
from tests.interop.payloads import PAYLOADS
from tests.interop.scripted import scripted
from tests.support.eventually import eventually
from toril import Job, Queue


async def completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count


async def test_data_and_results_come_through(node: NodePeer, queue: Queue, working: Working) -> None:
    await node.listen()
    ids = await node.add_many(*(("echo", payload) for payload in PAYLOADS))

    async with working():
        told = [(await node.told("completed", id))["returnvalue"] for id in ids]

    assert told == PAYLOADS
    assert [(await node.job(id))["returnvalue"] for id in ids] == PAYLOADS
    assert [job.data for job in reversed(await queue.get_completed())] == PAYLOADS


async def test_a_job_without_data_or_result(node: NodePeer, working: Working) -> None:
    job = await node.request("add", queue="work", name="nothing")
    seen: list[object] = []

    async with working(lambda taken: seen.append(taken.data)):
        assert await node.result(job["id"]) is None

    assert seen == [{}]
    assert (await node.job(job["id"]))["state"] == "completed"


async def test_many_at_once(node: NodePeer, queue: Queue, working: Working) -> None:
    ids = await node.add_many(*(("echo", number) for number in range(100)))

    async with working(concurrency=10):
        await eventually(lambda: completed(queue, 100))

    jobs = await queue.get_completed()
    assert {job.id: job.return_value for job in jobs} == dict(zip(ids, range(100), strict=True))
    assert (await node.counts())["completed"] == 100


async def test_a_delay_is_kept(node: NodePeer, queue: Queue, working: Working) -> None:
    async with working():
        later = await node.add("echo", "later", delay=300)
        sooner = await node.add("echo", "sooner", delay=100)
        assert later["state"] == "delayed"
        await node.result(later["id"])

    done = {job.data: job for job in await queue.get_completed()}
    assert done["later"].id == later["id"]
    assert done["sooner"].id == sooner["id"]
    for name, delay_ms in (("later", 300), ("sooner", 100)):
        job = done[name]
        assert job.processed_on_ms is not None
        assert job.processed_on_ms - job.timestamp_ms >= delay_ms
        assert job.delay_ms == 0


async def test_the_order_is_that_of_priorities(node: NodePeer, queue: Queue, working: Working) -> None:
    adds: list[tuple[str, dict[str, object]]] = [
        ("first of 5", {"priority": 5}),
        ("last", {"priority": 2097151}),
        ("first of 2", {"priority": 2}),
        ("plain", {}),
        ("second of 5", {"priority": 5}),
        ("second plain", {}),
        ("in front", {"lifo": True}),
    ]
    for data, opts in adds:
        await node.request("add", queue=queue.name, name="echo", data=data, opts=opts)
    order: list[str] = []

    async def note_order(job: Job) -> None:
        order.append(job.data)

    async with working(note_order, concurrency=1):
        await eventually(lambda: len(order) == 7)

    assert order == ["in front", "plain", "second plain", "first of 2", "first of 5", "second of 5", "last"]


# Backoffs of BullMQ, and the least waits in ms that two failures shall bring.
BACKOFFS: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 0]),
    ({"backoff": 40}, [40, 40]),
    ({"backoff": {"type": "fixed", "delay": 60}}, [60, 60]),
    ({"backoff": {"type": "exponential", "delay": 50}}, [50, 100]),
    ({"backoff": {"type": "exponential", "delay": 60, "jitter": 0.5}}, [30, 60]),
]


async def test_retries_wait_as_long_as_their_backoff(node: NodePeer, queue: Queue, working: Working) -> None:
    starts: dict[str, list[int]] = {}

    async def fail_twice(job: Job) -> int:
        starts.setdefault(job.id, []).append(job.processed_on_ms or 0)
        return await scripted(job)

    async with working(fail_twice, concurrency=5):
        jobs = [await node.add("fail", {"times": 2}, attempts=5, **opts) for opts, _ in BACKOFFS]
        await eventually(lambda: completed(queue, len(jobs)))

    for job, (_, shortest) in zip(jobs, BACKOFFS, strict=True):
        waits = [after - before for before, after in pairwise(starts[job["id"]])]
        assert len(waits) == 2
        assert all(wait >= least for wait, least in zip(waits, shortest, strict=True))
        read = await node.job(job["id"])
        assert (read["state"], read["returnvalue"]) == ("completed", 3)
        assert (read["attemptsMade"], read["attemptsStarted"], read["stacktraceLength"]) == (3, 3, 2)


async def test_a_job_that_fails_for_good(node: NodePeer, working: Working) -> None:
    async with working():
        job = await node.add("fail", {"times": 9}, attempts=3, stackTraceLimit=2)
        with pytest.raises(NodeError, match="failure 3 in toril"):
            await node.result(job["id"])

    read = await node.job(job["id"])
    assert read["state"] == "failed"
    assert read["failedReason"] == "failure 3 in toril"
    assert (read["attemptsMade"], read["attemptsStarted"], read["stacktraceLength"]) == (3, 3, 2)
    assert read["finishedOn"] >= read["processedOn"] >= read["timestamp"]


async def test_unrecoverable_means_no_other_attempt(node: NodePeer, working: Working) -> None:
    async with working():
        job = await node.add("give-up", attempts=5, backoff=1000)
        with pytest.raises(NodeError, match="hopeless in toril"):
            await node.result(job["id"])

    read = await node.job(job["id"])
    assert (read["state"], read["attemptsMade"], read["stacktraceLength"]) == ("failed", 1, 1)


async def test_node_retries_a_job_that_failed_in_toril(node: NodePeer, working: Working) -> None:
    await node.listen()
    async with working():
        job = await node.add("fail", {"times": 1})
        await node.told("failed", job["id"])
        await node.request("retry", queue="work", jobId=job["id"])
        assert await node.result(job["id"]) == 2

    read = await node.job(job["id"])
    assert (read["attemptsMade"], read.get("failedReason")) == (2, None)


async def test_progress_and_logs_are_read_by_node(node: NodePeer, working: Working) -> None:
    await node.listen()
    rows, progress = ["first", "zweite Zeile: ä", "third"], [10, 55.5, {"at": "end"}, "done", [1, 2], True]

    async with working():
        job = await node.add("report", {"rows": rows, "progress": progress}, keepLogs=2)
        await node.told("completed", job["id"])

    read = await node.job(job["id"])
    assert read["logs"] == rows[-2:]
    assert read["progress"] is True
    told = node.noted(**{"from": "events", "event": "progress", "jobId": job["id"]})
    assert [note["args"]["data"] for note in told] == progress


async def test_the_name_of_the_worker_is_read_by_node(node: NodePeer, working: Working) -> None:
    async with working(name="anna"):
        job = await node.add("echo", 1)
        await node.result(job["id"])

    assert (await node.job(job["id"]))["processedBy"] == "anna"


@pytest.mark.parametrize(("keep", "left"), [({"count": 2}, [3, 2]), (True, [])], ids=repr)
async def test_retention_set_by_node_is_honoured(
    node: NodePeer, queue: Queue, working: Working, keep: object, left: list[int]
) -> None:
    await node.listen()
    # Of those that finish in the same ms the one with the larger id counts as later: so all have one digit.
    ids = await node.add_many(*(("echo", number) for number in range(4)), removeOnComplete=keep)
    failing = await node.add_many(*(("give-up", number) for number in range(4)), removeOnFail=keep)

    async with working(concurrency=1):
        for id in ids:
            await node.told("completed", id)
        for id in failing:
            await node.told("failed", id)

    assert [job.data for job in await queue.get_completed()] == left
    assert [job.data for job in await queue.get_failed()] == left
    counts = await node.counts()
    assert (counts["completed"], counts["failed"]) == (len(left), len(left))
    assert await node.job(ids[0]) is None


async def test_metrics_of_toril_are_read_by_node(node: NodePeer, queue: Queue, working: Working) -> None:
    async with working(metrics_points=60):
        await node.add_many(*(("echo", number) for number in range(5)))
        await node.add_many(*(("give-up", number) for number in range(3)))
        await eventually(lambda: completed(queue, 5))
        await eventually(lambda: failed(queue, 3))

    read = {
        state: await node.request("getMetrics", queue="work", state=state)
        for state in ("completed", "failed")
    }
    assert {state: metrics["meta"]["count"] for state, metrics in read.items()} == {
        "completed": 5,
        "failed": 3,
    }


async def failed(queue: Queue, count: int) -> bool:
    return await queue.get_failed_count() == count
