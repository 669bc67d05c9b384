"""Parents and children on different sides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodeError, NodePeer
from tests.interop.peer import PARENTS
from tests.interop.scripted import spawner
from tests.support.eventually import eventually
from toril import JobFailed, ParentRef, Queue
from toril.embedded import EmbeddedServer


def child(name: str, data: object = None, **opts: object) -> dict[str, Any]:
    """A child in a flow of BullMQ."""
    return {"name": name, "queueName": "work", "data": data, "opts": opts}


async def test_children_run_by_toril_release_a_parent_of_node(
    node: NodePeer, queue: Queue, working: Working, prefix: str
) -> None:
    await node.work(queue=PARENTS)
    parent, children = await node.add_flow(
        "gather",
        PARENTS,
        [child("echo", {"n": 1}), child("echo", "two", delay=50), child("echo", priority=3)],
    )
    assert (await node.job(parent, queue=PARENTS))["state"] == "waiting-children"

    async with working():
        values = await node.result(parent, queue=PARENTS)

    assert values == {
        f"{prefix}:work:{id}": value for id, value in zip(children, [{"n": 1}, "two", None], strict=True)
    }
    for id in children:
        job = await queue.get_job(id)
        assert job is not None
        assert job.parent == {"id": parent, "queueKey": f"{prefix}:{PARENTS}"}


async def test_children_run_by_node_release_a_parent_run_by_toril(
    node: NodePeer, working: Working, prefix: str
) -> None:
    async with working(queue=PARENTS):
        parent, [first, second] = await node.add_flow(
            "gather", PARENTS, [child("echo", 1), child("fail", {"times": 0})]
        )
        await node.work()
        values = await node.result(parent, queue=PARENTS)

    assert values == {f"{prefix}:work:{first}": 1, f"{prefix}:work:{second}": 1}
    assert (await node.job(parent, queue=PARENTS))["attemptsStarted"] == 1


async def test_grandchildren_on_both_sides(node: NodePeer, working: Working, prefix: str) -> None:
    """The root runs in Node, its child in toril, and the child of that in Node again."""
    await node.work(queue=PARENTS)
    await node.work(queue="leaves")
    leaf = {"name": "echo", "queueName": "leaves", "data": "leaf"}
    parent, [middle] = await node.add_flow("gather", PARENTS, [child("gather") | {"children": [leaf]}])

    async with working():
        values = await node.result(parent, queue=PARENTS)

    assert list(values) == [f"{prefix}:work:{middle}"]
    assert list(values[f"{prefix}:work:{middle}"].values()) == ["leaf"]


@pytest.mark.parametrize("parent_runs_in", ["node", "toril"])
async def test_a_child_that_fails_in_toril_fails_its_parent(
    node: NodePeer, working: Working, prefix: str, parent_runs_in: str
) -> None:
    parent, [bad, other] = await node.add_flow(
        "gather", PARENTS, [child("give-up", failParentOnFailure=True), child("echo", delay=3_600_000)]
    )
    async with working(), working(queue="parents" if parent_runs_in == "toril" else "idle"):
        await node.work(queue="parents" if parent_runs_in == "node" else "idle")
        with pytest.raises(NodeError, match=f"child {prefix}:work:{bad} failed"):
            await node.result(parent, queue=PARENTS)

    read = await node.job(parent, queue=PARENTS)
    assert (read["state"], read["failedReason"]) == ("failed", f"child {prefix}:work:{bad} failed")
    # It was not run at all, and its other child has no part in it.
    assert read["attemptsStarted"] == 1
    assert (await node.job(other))["state"] == "delayed"


async def test_a_child_that_fails_in_node_fails_its_parent_in_toril(
    node: NodePeer, queue: Queue, working: Working, server: EmbeddedServer, prefix: str
) -> None:
    parent, _ = await node.add_flow("gather", PARENTS, [child("give-up", failParentOnFailure=True)])
    await node.work()
    async with (
        Queue(PARENTS, url=server.url, prefix=prefix) as parents,
        working(queue=PARENTS),
    ):
        job = await parents.get_job(parent)
        assert job is not None
        with pytest.raises(JobFailed, match=r"child .* failed"):
            await job.result(5)


POLICIES: list[tuple[dict[str, bool], dict[str, int], bool]] = [
    (
        {"ignoreDependencyOnFailure": True},
        {"ignored": 1, "processed": 0, "failed": 0, "unprocessed": 0},
        True,
    ),
    ({"continueParentOnFailure": True}, {"ignored": 1, "processed": 0, "failed": 0, "unprocessed": 0}, True),
    (
        {"removeDependencyOnFailure": True},
        {"ignored": 0, "processed": 0, "failed": 0, "unprocessed": 0},
        True,
    ),
    ({}, {"ignored": 0, "processed": 0, "failed": 0, "unprocessed": 1}, False),
]


async def test_a_child_that_fails_in_toril_leaves_its_parent_what_its_policy_says(
    node: NodePeer, queue: Queue, working: Working, prefix: str
) -> None:
    await node.work(queue=PARENTS)
    async with working():
        for policy, counts, released in POLICIES:
            parent, [bad] = await node.add_flow("gather", PARENTS, [child("give-up", **policy)])
            if released:
                assert await node.result(parent, queue=PARENTS) == {}
            else:
                await eventually(lambda bad=bad: is_failed(queue, bad))
            asked = {"queue": PARENTS, "jobId": parent}

            assert await node.request("dependencies", **asked) == counts
            ignored = await node.request("ignoredFailures", **asked)
            assert ignored == ({f"{prefix}:work:{bad}": "hopeless in toril"} if counts["ignored"] else {})
            state = (await node.job(parent, queue=PARENTS))["state"]
            assert state == ("completed" if released else "waiting-children")


async def is_failed(queue: Queue, id: str) -> bool:
    return await queue.get_job_state(id) == "failed"


async def test_a_child_that_is_retried_releases_its_parent_after_all(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.work(queue=PARENTS)
    parent, [bad] = await node.add_flow("gather", PARENTS, [child("fail", {"times": 1})])
    async with working():
        await eventually(lambda: is_failed(queue, bad))
        await node.request("retry", queue="work", jobId=bad)

        values = await node.result(parent, queue=PARENTS)

    assert list(values.values()) == [2]


async def test_a_parent_that_runs_in_toril_adds_a_child_for_node(
    node: NodePeer, working: Working, server: EmbeddedServer
) -> None:
    await node.work(queue="leaves")
    async with working(spawner(server.url)):
        added = await node.add("spawn", {"queue": "leaves"})
        assert await node.result(added["id"]) == ["from toril"]

    read = await node.job(added["id"])
    assert (read["attemptsStarted"], read["attemptsMade"]) == (2, 1)


async def test_a_parent_that_runs_in_node_adds_a_child_for_toril(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.work()
    async with working(queue="leaves"):
        job = await queue.add("spawn", {"queue": "leaves"})
        assert await job.result(5) == ["from node"]

    await job.refresh()
    assert (job.attempts_started, job.attempts_made) == (2, 1)


async def test_toril_adds_a_child_to_a_waiting_parent_of_node(
    node: NodePeer, queue: Queue, working: Working, prefix: str
) -> None:
    await node.work(queue=PARENTS)
    parent, [first] = await node.add_flow("gather", PARENTS, [child("echo", "theirs")])
    ref = ParentRef(parent, f"{prefix}:{PARENTS}")
    ours = await queue.add("echo", "ours", parent=ref)
    bad = await queue.add("give-up", parent=ref, on_failure="ignore")

    async with working():
        values = await node.result(parent, queue=PARENTS)

    assert values == {f"{prefix}:work:{first}": "theirs", f"{prefix}:work:{ours.id}": "ours"}
    ignored = await node.request("ignoredFailures", queue=PARENTS, jobId=parent)
    assert ignored == {f"{prefix}:work:{bad.id}": "hopeless in toril"}


async def test_removing_a_child_in_toril_releases_a_parent_of_node(node: NodePeer, queue: Queue) -> None:
    await node.work(queue=PARENTS)
    parent, [only] = await node.add_flow("gather", PARENTS, [child("echo")])

    assert await queue.remove(only)

    assert await node.result(parent, queue=PARENTS) == {}
