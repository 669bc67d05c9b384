"""Trees of jobs that one side adds, and the other side runs, reads, extends or removes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.interop.peer import PARENTS
from tests.support.database import Database
from tests.support.eventually import eventually
from toril import ChildFailed, Flow, FlowProducer, Job, JobFailed, JobNode, Queue


def leaf(data: object = None, name: str = "echo", **opts: object) -> dict[str, Any]:
    """A job without children as it is written for BullMQ."""
    return {"name": name, "queueName": "work", "data": data, "opts": opts}


def shape_of(node: JobNode) -> dict[str, Any]:
    """A tree that toril has read, in the form in which the Node peer gives one."""
    children = sorted((shape_of(child) for child in node.children), key=lambda child: child["key"])
    job = node.job
    return {
        "key": job.queue.job_key(job.id),
        "name": job.name,
        "data": job.data,
        "children": children,
    }


@pytest.mark.parametrize("added_by", ["node", "toril"])
async def test_three_levels_and_two_prefixes(
    node: NodePeer, flows: FlowProducer, working: Working, prefix: str, added_by: str
) -> None:
    """The root is of the side that does not add, and so is the leaf, which has a prefix of its own."""
    away = f"{prefix}-away"
    tree = {
        "name": "gather",
        "queueName": PARENTS,
        "children": [
            leaf(name="gather") | {"children": [{"name": "echo", "queueName": "leaves", "prefix": away}]},
            leaf("beside"),
        ],
    }
    if added_by == "node":
        root = (await node.add_tree(tree))["id"]
        await node.work()
        async with working(queue=PARENTS), working(queue="leaves", prefix=away):
            values = await node.result(root, queue=PARENTS)
    else:
        root = (await flows.add(Flow.from_bullmq(tree))).job
        await node.work(queue=PARENTS)
        await node.work(queue="leaves", prefix=away)
        async with working():
            values = await root.result(5)

    [beside, nested] = sorted(values.values(), key=str)
    assert beside == "beside"
    [(key, value)] = nested.items()
    assert key.startswith(f"{away}:leaves:")
    # What a job without data returns: each side gives its own idea of no data.
    assert value in ({}, None)


@pytest.mark.parametrize("added_by", ["node", "toril"])
async def test_both_read_the_same_tree(
    node: NodePeer, flows: FlowProducer, parents: Queue, working: Working, added_by: str
) -> None:
    tree = {
        "name": "gather",
        "queueName": PARENTS,
        "data": {"a": [1, "ä"]},
        "children": [
            leaf("done"),
            leaf(name="give-up", ignoreDependencyOnFailure=True),
            leaf("later", delay=3_600_000),
            leaf(name="gather", data=1)
            | {"queueName": "middle", "children": [leaf("deep", priority=2), leaf("deeper")]},
        ],
    }
    if added_by == "node":
        root = (await node.add_tree(tree))["id"]
    else:
        root = (await flows.add(Flow.from_bullmq(tree))).job.id
    before = await flows.get_flow(PARENTS, root)
    assert before is not None
    assert shape_of(before) == await node.flow(root, queue=PARENTS)
    upper = await flows.get_flow(PARENTS, root, depth=2)
    assert upper is not None
    assert shape_of(upper) == await node.flow(root, queue=PARENTS, depth=2) != shape_of(before)

    job = await parents.get_job(root)
    assert job is not None
    async with working():
        await eventually(lambda: has_counts(job, processed=1, ignored=1, unprocessed=2))
        theirs = await node.request("dependenciesOf", queue=PARENTS, jobId=root)
        ours = await job.dependencies()

    after = await flows.get_flow(PARENTS, root)
    assert after is not None
    read = await node.flow(root, queue=PARENTS)
    assert shape_of(after) == read
    assert len(read["children"]) == 4
    assert (ours.processed, ours.ignored) == (theirs["processed"], theirs["ignored"])
    assert sorted(ours.unprocessed) == sorted(theirs["unprocessed"])
    assert list(ours.processed.values()) == ["done"]
    assert list(ours.ignored.values()) == ["hopeless in toril"]


async def has_counts(job: Job, **counts: int) -> bool:
    return await job.dependency_counts() == {"failed": 0, **counts}


async def add_pair(flows: FlowProducer, child: Flow) -> tuple[Job, Job]:
    """A parent that gathers, and its only child."""
    tree = await flows.add(Flow("gather", queue=PARENTS, children=[child]))
    return tree.job, tree.children[0].job


@pytest.mark.parametrize("policy", ["ignore", "continue_parent", "remove"])
async def test_a_child_that_fails_in_node_lets_its_parent_run(
    node: NodePeer, flows: FlowProducer, working: Working, policy: Any
) -> None:
    await node.work()
    async with working(queue=PARENTS):
        child = Flow("give-up", queue="work", on_failure=policy)
        parent, bad = await add_pair(flows, child)

        assert await parent.result(5) == {}

    ignored = {} if policy == "remove" else {bad.queue.job_key(bad.id): "hopeless in node"}
    assert await parent.ignored_failures() == ignored
    assert await node.request("ignoredFailures", queue=PARENTS, jobId=parent.id) == ignored
    counts = {"failed": 0, "ignored": len(ignored), "processed": 0, "unprocessed": 0}
    assert await parent.dependency_counts() == counts
    assert await node.request("dependencies", queue=PARENTS, jobId=parent.id) == counts


@pytest.mark.parametrize("parent_runs_in", ["node", "toril"])
async def test_a_parent_that_fails_names_its_child_of_the_other_side(
    node: NodePeer, flows: FlowProducer, working: Working, parent_runs_in: str
) -> None:
    """The child of the child begins it, and runs in toril; what is between them runs in Node."""
    heard: list[tuple[str, BaseException]] = []

    def hear(job: Job, error: BaseException, previous: str) -> None:
        heard.append((job.id, error))

    await node.listen(queue=PARENTS)
    await node.work(queue="middle")
    if parent_runs_in == "node":
        await node.work(queue=PARENTS)
    async with working(), working(queue=PARENTS if parent_runs_in == "toril" else "idle") as worker:
        worker.on("failed", hear)
        bad = Flow("give-up", queue="work", on_failure="fail_parent")
        middle = Flow("gather", queue="middle", on_failure="fail_parent", children=[bad])
        root, between = await add_pair(flows, middle)
        with pytest.raises(JobFailed) as caught:
            await root.result(5)
        if parent_runs_in == "toril":
            await eventually(lambda: heard)

    key = between.queue.job_key(between.id)
    causes = [caught.value.caused_by_child]
    if parent_runs_in == "toril":
        [(id, error)] = heard
        assert id == root.id
        assert isinstance(error, ChildFailed)
        causes.append(error.caused_by_child)
    for cause in causes:
        assert cause is not None
        assert (cause.id, cause.root.reason) == (between.id, "hopeless in toril")
    told = await node.told("failed", root.id)
    assert told["failedReason"] == f"child {key} failed"
    assert (await node.job(root.id, queue=PARENTS))["failedReason"] == f"child {key} failed"


@pytest.mark.parametrize("child_fails_in", ["node", "toril"])
async def test_a_parent_that_is_stuck_runs_after_a_retry_of_the_other_side(
    node: NodePeer, flows: FlowProducer, parents: Queue, queue: Queue, working: Working, child_fails_in: str
) -> None:
    parent, bad = await add_pair(flows, Flow("fail", {"times": 1}, queue="work"))
    if child_fails_in == "node":
        await node.work()
        await node.work(queue=PARENTS)
    async with working(queue="work" if child_fails_in == "toril" else "idle"):
        await eventually(bad.is_failed)
        [stuck] = await parents.stuck_parents()
        assert stuck.id == parent.id
        assert stuck.reason.startswith(f"child {bad.queue.job_key(bad.id)} has failed")

        if child_fails_in == "toril":
            await node.request("retry", queue="work", jobId=bad.id)
            async with working(queue=PARENTS):
                values = await parent.result(5)
        else:
            await bad.retry()
            values = await parent.result(5)

    assert values == {bad.queue.job_key(bad.id): 2}
    assert await parents.stuck_parents() == []


async def test_toril_waits_for_children_that_node_runs(
    node: NodePeer, parents: Queue, queue: Queue, working: Working
) -> None:
    """The children are found out on the way; Node adds one more meanwhile."""
    await node.work()
    runs: list[int] = []

    async def collect(job: Job) -> list[str]:
        runs.append(job.attempts_started)
        if len(runs) == 1:
            await queue.add("slow", {"ms": 100}, parent=job)
            parent = {"id": job.id, "queue": job.queue.qualified}
            await node.add("echo", "of node", parent=parent)
        await job.wait_for_children()
        return sorted((await job.children_values()).values())

    async with working(collect, queue=PARENTS):
        job = await parents.add("collect")
        assert await job.result(5) == ["node", "of node"]

    assert runs == [1, 2]
    read = await node.job(job.id, queue=PARENTS)
    assert (read["attemptsStarted"], read["attemptsMade"]) == (2, 1)


async def test_a_tree_is_attached_to_a_parent_of_the_other_side(
    node: NodePeer, flows: FlowProducer, parents: Queue, working: Working, prefix: str
) -> None:
    theirs, [_] = await node.add_flow("gather", PARENTS, [leaf("own")])
    ours = await flows.add(Flow("gather", queue=PARENTS, children=[Flow("echo", "own", queue="work")]))
    job = await parents.get_job(theirs)
    assert job is not None

    tree = Flow("gather", queue="work", parent=job, children=[Flow("echo", "deep", queue="work")])
    attached = (await flows.add(tree)).job
    parent = {"id": ours.job.id, "queue": ours.job.queue.qualified}
    by_node = await node.add_tree(leaf(name="gather", parent=parent) | {"children": [leaf("deep")]})

    await node.work(queue=PARENTS)
    async with working():
        of_theirs = await node.result(theirs, queue=PARENTS)
        of_ours = await ours.job.result(5)

    for values, id in ((of_theirs, attached.id), (of_ours, by_node["id"])):
        assert list(values.pop(f"{prefix}:work:{id}").values()) == ["deep"]
        assert list(values.values()) == ["own"]


@pytest.mark.parametrize("side", ["node", "toril"])
async def test_a_tree_with_jobs_that_the_other_side_has_added(
    node: NodePeer, flows: FlowProducer, queue: Queue, working: Working, prefix: str, side: str
) -> None:
    """One of them has completed, so its result is there at once; the other one is still to run."""
    if side == "node":
        done, pending = await queue.add("echo", "first", job_id="done"), "toril"
        await queue.add("echo", "toril", job_id="pending", delay=3600)
    else:
        await node.add("echo", "first", jobId="done")
        found = await queue.get_job("done")
        assert found is not None
        done, pending = found, "node"
        await node.add("echo", "node", jobId="pending", delay=3_600_000)
    tree = {
        "name": "gather",
        "queueName": PARENTS,
        "children": [leaf("not used", jobId="done"), leaf("not used", jobId="pending")],
    }
    async with working():
        await done.result(5)
        await node.work(queue=PARENTS)
        if side == "node":
            root = (await node.add_tree(tree))["id"]
        else:
            root = (await flows.add(Flow.from_bullmq(tree))).job.id
        counts = await node.request("dependencies", queue=PARENTS, jobId=root)
        assert counts == {"failed": 0, "ignored": 0, "processed": 1, "unprocessed": 1}
        await node.request("promote", queue="work", jobId="pending")
        values = await node.result(root, queue=PARENTS)

    assert values == {f"{prefix}:work:done": "first", f"{prefix}:work:pending": pending}


@pytest.mark.parametrize("side", ["node", "toril"])
async def test_a_tree_of_the_other_side_is_removed(
    node: NodePeer, flows: FlowProducer, parents: Queue, queue: Queue, database: Database, side: str
) -> None:
    tree = {
        "name": "gather",
        "queueName": PARENTS,
        "children": [leaf("one"), leaf(name="gather") | {"children": [leaf(delay=1000), leaf(priority=1)]}],
    }
    if side == "node":
        root = (await flows.add(Flow.from_bullmq(tree))).job.id
        await node.request("remove", queue=PARENTS, jobId=root)
    else:
        root = (await node.add_tree(tree))["id"]
        assert await parents.remove(root)

    assert await node.flow(root, queue=PARENTS) is None
    of_the_queues = (":meta", ":events", ":marker", ":pc", ":id")
    assert [key for key in database.dump() if not key.endswith(of_the_queues)] == []


async def test_children_are_let_go_by_the_other_side(
    node: NodePeer, flows: FlowProducer, working: Working
) -> None:
    first, only = await add_pair(flows, Flow("echo", queue="work", delay=3600))
    second, other = await add_pair(flows, Flow("echo", queue="work", delay=3600))

    await node.request("removeChildDependency", queue="work", jobId=only.id)
    await node.request("removeUnprocessedChildren", queue=PARENTS, jobId=second.id)
    async with working(queue=PARENTS):
        assert await first.result(5) == {}

    assert await only.state() == "delayed"
    assert await node.job(other.id) is None
