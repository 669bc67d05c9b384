"""Listeners of BullMQ follow what toril does, and each side can wait for a job that the other one runs."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodeError, NodePeer
from tests.interop.payloads import PAYLOADS
from tests.support.eventually import eventually
from toril import Job, JobFailed, JobRemoved, Queue, ResultTimeout, from_bullmq
from toril.embedded import EmbeddedServer

Told = list[tuple[str, dict[str, Any]]]


def told_of(node: NodePeer, queue: str, id: str | None = None) -> Told:
    """The events of a queue or of one job, in order."""
    notes = node.noted(**{"from": "events", "queue": queue})
    return [(note["event"], note["args"]) for note in notes if id is None or note.get("jobId") == id]


async def test_a_job_that_completes(node: NodePeer, queue: Queue, working: Working) -> None:
    await node.listen()
    async with working():
        job = await queue.add("echo", {"a": [1, None]})
        await node.told("drained")

    id = job.id
    assert told_of(node, "work") == [
        ("added", {"jobId": id, "name": "echo"}),
        ("waiting", {"jobId": id}),
        ("active", {"jobId": id, "prev": "waiting"}),
        ("completed", {"jobId": id, "returnvalue": {"a": [1, None]}, "prev": "active"}),
        ("drained", {}),
    ]


async def test_a_job_that_is_tried_again_and_fails(node: NodePeer, queue: Queue, working: Working) -> None:
    await node.listen()
    async with working():
        job = await queue.add("fail", {"times": 9}, attempts=2, backoff=0.01)
        await node.told("retries-exhausted", job.id)

    id, told = job.id, told_of(node, "work", job.id)
    assert [event for event, _ in told] == [
        *("added", "waiting", "active", "delayed", "waiting", "active", "failed", "retries-exhausted")
    ]
    due = dict(told)["delayed"]["delay"]
    assert isinstance(due, int)
    assert abs(due - time.time() * 1000) < 10_000
    assert told[4][1] == {"jobId": id, "prev": "delayed"}
    assert told[6][1] == {"jobId": id, "failedReason": "failure 2 in toril", "prev": "active"}
    assert told[7][1] == {"jobId": id, "attemptsMade": "2"}


async def test_what_happens_without_a_worker(node: NodePeer, queue: Queue) -> None:
    await node.listen()
    await queue.pause()
    await queue.resume()
    job = await queue.add("later", delay=3600)
    await job.update_progress({"half": 50})
    await job.promote()
    await job.remove()
    assert await node.told("removed") == {"jobId": job.id, "prev": "wait"}

    assert [event for event, _ in told_of(node, "work")] == [
        *("paused", "resumed", "added", "delayed", "progress", "waiting", "removed")
    ]
    assert await node.told("progress") == {"jobId": job.id, "data": {"half": 50}}


# Jobs of both sides, with options of BullMQ, and their ends.
STORY: list[tuple[str, Any, dict[str, Any], str]] = [
    ("echo", {"a": [1, None, "ä"]}, {}, "completed"),
    ("echo", "later", {"delay": 20}, "completed"),
    ("echo", "soon", {"priority": 3, "jobId": "mine"}, "completed"),
    ("echo", "again", {"jobId": "mine"}, "completed"),
    ("fail", {"times": 1}, {"attempts": 2}, "completed"),
    ("fail", {"times": 2}, {"attempts": 3, "backoff": 10}, "completed"),
    ("fail", {"times": 9}, {"attempts": 2}, "failed"),
    ("fail", {"times": 9}, {}, "failed"),
    ("give-up", None, {"attempts": 3}, "failed"),
    ("report", {"rows": ["row"], "progress": [1, {"b": 2}]}, {"removeOnComplete": True}, "unknown"),
]


async def test_both_sides_tell_the_same(
    node: NodePeer, working: Working, server: EmbeddedServer, prefix: str
) -> None:
    """The same story twice: one queue is Node's alone, the other one is toril's alone."""
    async with Queue("node", url=server.url, prefix=prefix) as theirs:
        await node.work(queue="node")
        for name, data, opts, end in STORY:
            id = (await node.add(name, data, queue="node", **opts))["id"]
            await eventually(lambda id=id, end=end: is_in(theirs, id, end))
        await node.request("pause", queue="node")
    async with Queue("toril", url=server.url, prefix=prefix) as ours, working(queue="toril"):
        for name, data, opts, end in STORY:
            id = (await ours.add(name, data, **from_bullmq(opts))).id
            await eventually(lambda id=id, end=end: is_in(ours, id, end))
        await ours.pause()

    for queue in ("node", "toril"):
        await node.listen(queue=queue)
        await node.note(**{"from": "events", "queue": queue, "event": "paused"})
    assert len(told_of(node, "node")) > 50
    assert plain(told_of(node, "toril")) == plain(told_of(node, "node"))


async def is_in(queue: Queue, id: str, state: str) -> bool:
    return await queue.get_job_state(id) == state


def plain(told: Told) -> Told:
    """Events without what must differ: times, and the name of the side."""
    return [
        (event, {key: "due" if key == "delay" else nameless(value) for key, value in args.items()})
        for event, args in told
    ]


def nameless(value: Any) -> Any:
    return value.replace("toril", "node") if isinstance(value, str) else value


async def test_nothing_that_toril_returns_stops_a_listener(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.listen()
    hostile: list[Any] = [math.nan, {"deep": math.inf}, "\ud800", object(), {1, 2}, b"bytes", 10**40]

    async def give(job: Job) -> Any:
        return hostile[job.data] if job.name == "hostile" else PAYLOADS[job.data]

    async with working(give):
        bad = [await queue.add("hostile", number) for number in range(len(hostile))]
        good = [await queue.add("good", number) for number in range(len(PAYLOADS))]
        told = [(await node.told("completed", job.id))["returnvalue"] for job in good]

    assert told == PAYLOADS
    assert node.noted(**{"from": "events", "event": "error"}) == []
    for job in bad[:4]:
        assert "result" in (await node.told("failed", job.id))["failedReason"]


async def test_nothing_that_toril_fails_with_stops_a_listener(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.listen()
    reasons = ["ä\n\0\t", "\ud800", '{"not": json', "x" * 100_000]

    async def fail(job: Job) -> None:
        raise RuntimeError(reasons[int(job.data)])

    async with working(fail):
        jobs = [await queue.add("any", number) for number in range(len(reasons))]
        told = [(await node.told("failed", job.id))["failedReason"] for job in jobs]

    assert told == ["ä\n\0\t", "?", '{"not": json', "x" * 100_000]
    assert node.noted(**{"from": "events", "event": "error"}) == []


async def test_toril_waits_for_jobs_of_node(node: NodePeer, queue: Queue) -> None:
    slow = await queue.add("slow", {"ms": 50})
    failing = await queue.add("fail", {"times": 9})
    waiting = asyncio.gather(slow.result(8), failing.result(8), return_exceptions=True)

    await node.work()
    result, error = await waiting

    assert result == "node"
    assert isinstance(error, JobFailed)
    assert error.reason == "failure 1 in node"
    assert await slow.result(1) == "node"


async def test_toril_waits_for_a_job_that_node_added_and_removes(node: NodePeer, queue: Queue) -> None:
    await node.work()
    added = await node.add("slow", {"ms": 1}, removeOnComplete=True, delay=200)
    job = await queue.get_job(added["id"])
    assert job is not None

    assert await job.result(5) == "node"

    with pytest.raises(JobRemoved):
        await job.result(5)


async def test_toril_waits_no_longer_than_it_was_told(node: NodePeer, queue: Queue) -> None:
    job = await queue.add("hang")
    await node.work()
    await node.did("active", job.id)

    with pytest.raises(ResultTimeout):
        await job.result(0.1)

    assert await job.is_active()


async def test_node_waits_for_jobs_of_toril(node: NodePeer, queue: Queue, working: Working) -> None:
    slow = await node.add("slow", {"ms": 50})
    failing = await node.add("fail", {"times": 9})
    waiting = asyncio.gather(node.result(slow["id"]), node.result(failing["id"]), return_exceptions=True)

    async with working(concurrency=2):
        result, error = await waiting

    assert result == "toril"
    assert isinstance(error, NodeError)
    assert str(error) == "failure 1 in toril"
    # It had finished before somebody waited.
    assert await node.result(slow["id"]) == "toril"


async def test_node_waits_for_jobs_that_are_removed_at_their_end(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    good = await queue.add("slow", {"ms": 1}, delay=0.2, remove_on_complete=True)
    bad = await queue.add("fail", {"times": 9}, delay=0.2, remove_on_fail=True)
    async with working(concurrency=2):
        result, error = await asyncio.gather(
            node.result(good.id), node.result(bad.id), return_exceptions=True
        )

    assert (result, str(error)) == ("toril", "failure 1 in toril")
    assert await node.job(good.id) is None
    assert await node.job(bad.id) is None


async def test_toril_waits_for_a_job_that_fails_in_node_and_is_removed(node: NodePeer, queue: Queue) -> None:
    job = await queue.add("fail", {"times": 9}, delay=0.2, remove_on_fail=True)
    await node.work()

    with pytest.raises(JobFailed) as caught:
        await job.result(5)

    assert caught.value.reason == "failure 1 in node"
    assert await node.job(job.id) is None


async def test_progress_from_node_outside_of_a_worker(node: NodePeer, queue: Queue) -> None:
    job = await queue.add("echo")

    await node.request("updateProgress", queue="work", jobId=job.id, progress={"seen": 1})

    await job.refresh()
    assert job.progress == {"seen": 1}
