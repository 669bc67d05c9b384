"""Trees of jobs: added in one step, run from the leaves up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import toril.sync
from tests.support.database import Database
from tests.support.factories import QueueFactory, WorkerStarter
from toril import (
    DuplicateJob,
    Flow,
    FlowProducer,
    Job,
    OptionError,
    ParentNotFound,
    ParentNotReplaceable,
    ParentRef,
    PendingChildren,
    Queue,
)


async def add_up(job: Job) -> int:
    return job.data + sum((await job.children_values()).values())


def chain(length: int) -> Flow:
    flow = Flow("link", 1, queue="tasks")
    for _ in range(length - 1):
        flow = Flow("link", 1, queue="tasks", children=[flow])
    return flow


async def test_a_parent_gets_what_its_children_returned(
    producer: FlowProducer, start_worker: WorkerStarter
) -> None:
    await start_worker(add_up, "tasks", concurrency=3)
    await start_worker(add_up, "parts", concurrency=3)
    leaves = [Flow("leaf", n, queue="parts") for n in range(10)]
    node = await producer.add(
        Flow("root", 1000, queue="tasks", children=[Flow("middle", 100, queue="tasks", children=leaves)])
    )

    assert await node.job.result(timeout=5) == 1145
    assert [child.job.queue_name for child in node.children[0].children] == ["parts"] * 10
    assert await node.children[0].job.result(timeout=5) == 145


async def test_a_parent_waits_for_the_last_child(
    producer: FlowProducer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    gate = asyncio.Event()

    async def wait(job: Job) -> str:
        if job.name == "slow":
            await gate.wait()
        return job.name

    queue = new_queue("tasks")
    await start_worker(wait, "tasks", concurrency=5)
    children = [Flow("quick", queue="tasks"), Flow("slow", queue="tasks")]
    node = await producer.add(Flow("root", queue="tasks", children=children))
    assert await node.children[0].job.result(timeout=5) == "quick"
    assert await queue.get_job_state(node.job.id) == "waiting-children"

    gate.set()
    assert await node.job.result(timeout=5) == "root"


async def test_a_deep_tree(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    node = await producer.add(chain(1500))
    await start_worker(add_up, "tasks", concurrency=10)

    # Each job adds what its one child returned.
    assert await node.job.result(timeout=30) == 1500


async def test_a_wide_tree(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    leaves = [Flow("leaf", 1, queue="tasks") for _ in range(9999)]
    node = await producer.add(Flow("root", 0, queue="tasks", children=leaves))
    await start_worker(add_up, "tasks", concurrency=50)

    assert await node.job.result(timeout=30) == 9999


async def test_many_trees_in_one_step(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    await start_worker(add_up, "tasks", concurrency=5)
    trees = [Flow("root", 1, queue="tasks", children=[Flow("leaf", n, queue="tasks")]) for n in range(20)]
    nodes = await producer.add_many(trees)

    results = await asyncio.gather(*(node.job.result(timeout=5) for node in nodes))
    assert results == [1 + n for n in range(20)]
    assert await producer.add_many([]) == []


async def test_a_tree_is_attached_to_a_job(
    producer: FlowProducer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    root = await producer.add(
        Flow("root", 1, queue="tasks", job_id="r", children=[Flow("leaf", 2, queue="tasks")])
    )
    more = Flow("more", 3, queue="tasks", parent=root.job, children=[Flow("leaf", 4, queue="tasks")])
    await producer.add(more)
    await start_worker(add_up, "tasks", concurrency=5)

    assert await root.job.result(timeout=5) == 1 + 2 + 3 + 4


async def test_children_that_exist_are_taken_in(
    producer: FlowProducer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queue = new_queue("tasks")
    await start_worker(add_up, "tasks")
    done = await queue.add("leaf", 5, job_id="done")
    await done.result(timeout=5)
    node = await producer.add(
        Flow("root", 1, queue="tasks", children=[Flow("leaf", 999, queue="tasks", job_id="done")])
    )

    assert await node.job.result(timeout=5) == 6
    assert (node.children[0].job.created, node.children[0].job.data) == (False, 5)


async def test_options_of_a_queue_and_of_a_job(producer: FlowProducer) -> None:
    node = await producer.add(
        Flow("root", queue="tasks", children=[Flow("leaf", queue="parts", attempts=2), Flow("b", queue="b")]),
        default_job_options={"parts": {"attempts": 5, "priority": 3}},
    )

    leaf, other = node.children
    assert (leaf.job.opts["attempts"], leaf.job.priority) == (2, 3)
    assert (other.job.opts["attempts"], other.job.priority) == (0, 0)


async def test_the_tree_can_be_read(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    leaves = [Flow("leaf", n, queue="parts", job_id=f"leaf-{n}") for n in range(3)]
    await producer.add(
        Flow("root", 0, queue="tasks", job_id="r", children=[Flow("m", 0, queue="tasks", children=leaves)])
    )

    tree = await producer.get_flow("tasks", "r")
    assert tree is not None
    assert [node.job.id for node in tree.children[0].children] == ["leaf-0", "leaf-1", "leaf-2"]
    shallow = await producer.get_flow("tasks", "r", depth=2)
    assert shallow is not None
    assert shallow.children[0].children == ()
    assert await producer.get_flow("tasks", "nobody") is None
    with pytest.raises(OptionError, match="depth"):
        await producer.get_flow("tasks", "r", depth=0)
    with pytest.raises(OptionError, match="max_children"):
        await producer.get_flow("tasks", "r", max_children=0)


async def test_a_parent_that_is_missing_refuses_the_tree(
    producer: FlowProducer, database: Database, prefix: str
) -> None:
    nobody = ParentRef("nobody", f"{prefix}:tasks")
    lost = Flow("lost", queue="tasks", parent=nobody, children=[Flow("leaf", queue="tasks")])

    with pytest.raises(ParentNotFound, match="parent"):
        await producer.add(lost)
    with pytest.raises(ParentNotFound):
        await producer.add_many([Flow("fine", queue="tasks"), lost])
    assert database.dump() == {}


async def test_a_child_of_another_parent_refuses_the_tree(producer: FlowProducer, database: Database) -> None:
    def tree(root: str) -> Flow:
        child = Flow("leaf", queue="parts", job_id="child")
        return Flow("root", queue="tasks", job_id=root, children=[Flow("n", queue="parts"), child])

    await producer.add(tree("one"))
    before = database.dump()
    with pytest.raises(ParentNotReplaceable, match="child") as raised:
        await producer.add(tree("two"))
    assert (raised.value.queue, raised.value.job_id) == ("parts", "child")
    assert database.dump() == before

    node = await producer.add(tree("two"), strict=False)
    assert isinstance(node.children[1].error, ParentNotReplaceable)
    assert node.children[0].error is None


async def test_duplicates_can_refuse_the_tree(producer: FlowProducer, database: Database) -> None:
    await producer.add(Flow("root", queue="tasks", job_id="r"))
    before = database.dump()

    with pytest.raises(DuplicateJob):
        await producer.add(
            Flow("root", queue="tasks", job_id="r", on_duplicate="raise", children=[Flow("l", queue="tasks")])
        )
    assert database.dump() == before


def own_child() -> Flow:
    flow = Flow("root", queue="tasks", children=[Flow("middle", queue="tasks")])
    flow.children[0].children.append(flow)
    return flow


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (own_child, "among its own children"),
        (
            lambda: Flow("r", queue="tasks", job_id="x", children=[Flow("c", queue="tasks", job_id="x")]),
            "comes twice",
        ),
        (
            lambda: Flow("r", queue="tasks", children=[Flow("c", queue="tasks") for _ in range(10_000)]),
            "10000 jobs at most",
        ),
        (lambda: chain(10_001), "10000 jobs at most"),
        (
            lambda: Flow("r", queue="tasks", deduplication={"id": "d"}, children=[Flow("c", queue="tasks")]),
            "job with children",
        ),
        (
            lambda: Flow("r", queue="tasks", children=[Flow("c", queue="tasks", deduplication={"id": "d"})]),
            "together with parent",
        ),
        (
            lambda: Flow(
                "r",
                queue="tasks",
                children=[
                    Flow("c", queue="tasks", fail_parent_on_failure=True, ignore_dependency_on_failure=True)
                ],
            ),
            "can't be used together",
        ),
        (
            lambda: Flow(
                "r",
                queue="tasks",
                children=[Flow("c", queue="tasks", parent=ParentRef("other", "bull:tasks"))],
            ),
            "only the root",
        ),
        (lambda: Flow("r", queue="tasks", children=[Flow("c", float("nan"), queue="tasks")]), "data"),
        (lambda: Flow("r", queue="tasks", attempts=-1), "attempts"),
        (lambda: Flow("r", queue="tasks", job_id="a:b"), "job_id"),
        (lambda: "no flow at all", "must be a Flow"),
    ],
    ids=[
        *("cycle", "own id", "too wide", "too deep", "dedup above", "dedup below", "two policies"),
        *("parent below", "nan", "attempts", "colon", "no flow"),
    ],
)
async def test_what_can_not_be_added_is_refused(
    producer: FlowProducer, database: Database, make: Any, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        await producer.add(make())
    assert database.dump() == {}


def test_names_are_checked_when_they_are_written() -> None:
    wrong_options: list[dict[str, Any]] = [
        {"queue": "a:b"},
        {"queue": ""},
        {"queue": "a", "prefix": ""},
        {"queue": "a", "children": [1]},
    ]
    for wrong in wrong_options:
        with pytest.raises(OptionError):
            Flow("job", **wrong)
    with pytest.raises(OptionError, match="queueName"):
        Flow.from_bullmq({"name": "x", "queuename": "y"})


async def test_a_tree_written_for_bullmq(producer: FlowProducer) -> None:
    node = await producer.add(
        Flow.from_bullmq(
            {
                "name": "root",
                "queueName": "tasks",
                "children": [
                    {
                        "name": "leaf",
                        "queueName": "parts",
                        "data": {"n": 1},
                        "opts": {"failParentOnFailure": True, "delay": 1500},
                    }
                ],
            }
        )
    )
    leaf = node.children[0].job
    assert (leaf.delay, leaf.opts["failParentOnFailure"], leaf.data) == (1.5, True, {"n": 1})


def written_for_bullmq(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {"name": "leaf", "queueName": "tasks"}
    for number in range(depth - 1):
        node = {"name": str(number), "queueName": "tasks", "children": [node, {**node, "children": None}]}
    return node


def test_a_tree_for_bullmq_may_be_deeper_than_calls_can_be_nested() -> None:
    flow, depth = Flow.from_bullmq(written_for_bullmq(3000)), 1
    while flow.children:
        assert [child.name for child in flow.children] == [flow.children[0].name] * 2
        flow, depth = flow.children[0], depth + 1

    assert (flow.name, depth) == ("leaf", 3000)


def test_a_tree_for_bullmq_that_is_among_its_own_children_is_refused() -> None:
    node = written_for_bullmq(3)
    node["children"].append(node)

    with pytest.raises(OptionError, match="children"):
        Flow.from_bullmq(node)


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "blocking"])
async def test_nodes_of_deep_trees_are_shown_and_compared(
    producer: FlowProducer, url: str, prefix: str, *, blocking: bool
) -> None:
    node: Any
    if blocking:
        with toril.sync.FlowProducer(url=url, prefix=prefix) as other:
            node, again = (other.add(chain(2000)) for _ in range(2))
    else:
        node, again = await producer.add(chain(2000)), await producer.add(chain(2000))

    assert repr(node) == f"<JobNode {node.job!r}, 1 children>"
    assert len({node, again, *node.children}) == 3
    assert (node == node, node == again) == (True, False)
    assert "PendingChildren" in repr(type(node)(node.job, error=PendingChildren("it waits")))


async def test_children_of_several_queues_keep_their_order(
    producer: FlowProducer, database: Database, prefix: str
) -> None:
    """In the set of a few children, which the server keeps in the order in which they came."""
    names = ["b", "a", "tasks", "a", "b"]
    node = await producer.add(
        Flow("root", queue="tasks", children=[Flow("leaf", queue=name) for name in names])
    )

    # What the client reads of a set itself, it puts into one of Python's.
    read = "return redis.call('SMEMBERS', KEYS[1])"
    keys = database.command("EVAL", read, 1, f"{prefix}:tasks:{node.job.id}:dependencies")
    assert [key.split(":")[1] for key in keys] == names


async def test_a_job_whose_only_child_was_there_is_tied_to_its_parent(
    producer: FlowProducer, queue: Queue
) -> None:
    """Nothing else goes into a list or a sorted set with it."""
    done = await queue.add("done", job_id="done")
    child = Flow("done", queue=queue.name, job_id=done.id)
    node = await producer.add(
        Flow("root", queue="tasks", children=[Flow("middle", queue="b", children=[child])])
    )
    [middle] = node.children

    assert await node.job.state() == "waiting-children"
    assert (await node.job.dependencies()).unprocessed == [f"{queue.ref.prefix}:b:{middle.job.id}"]
