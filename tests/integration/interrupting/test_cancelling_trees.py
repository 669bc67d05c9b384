"""Cancelling parents and children."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Cancellation, Flow, FlowProducer, Job, JobNode, JobNotInState, Queue
from toril.model.parent import FailurePolicy


@pytest.fixture
async def producer(url: str, prefix: str) -> AsyncIterator[FlowProducer]:
    async with FlowProducer(url=url, prefix=prefix) as producer:
        yield producer


def jobs_of(node: JobNode) -> list[Job]:
    return [node.job, *(job for child in node.children for job in jobs_of(child))]


async def states(jobs: list[Job]) -> list[str]:
    return [await job.state() for job in jobs]


def root_of(*children: Flow) -> Flow:
    return Flow("root", queue="tasks", children=children)


def tree() -> Flow:
    """Two levels below the root, over two queues."""
    leaves = [Flow("leaf", queue="others", on_failure="fail_parent") for _ in range(3)]
    return Flow(
        "root",
        queue="tasks",
        children=[Flow("branch", queue="others", children=leaves), Flow("leaf", queue="tasks")],
    )


async def test_a_whole_tree_is_cancelled_from_its_root(
    queue: Queue, new_queue: QueueFactory, producer: FlowProducer
) -> None:
    jobs = jobs_of(await producer.add(tree()))

    assert await queue.cancel(jobs[0].id) is Cancellation.CANCELLED

    assert await states(jobs) == ["failed"] * 6
    for job in jobs:
        await job.refresh()
        assert job.failed_reason == "cancelled"


async def test_the_children_can_be_left_alone(queue: Queue, producer: FlowProducer) -> None:
    jobs = jobs_of(await producer.add(tree()))

    assert await jobs[0].cancel(children=False) is Cancellation.CANCELLED

    assert await states(jobs) == ["failed", "waiting-children", *["waiting"] * 4]


async def test_children_that_run_are_told(
    queue: Queue, producer: FlowProducer, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> None:
        await asyncio.Event().wait()

    node = await producer.add(root_of(*(Flow("leaf", queue="tasks") for _ in range(3))))
    await start_worker(handler, concurrency=3)
    root, *leaves = jobs_of(node)
    for leaf in leaves:
        await eventually(leaf.is_active)

    assert await queue.cancel(root.id) is Cancellation.CANCELLED

    for leaf in leaves:
        await eventually(leaf.is_failed)


async def test_more_children_than_are_cancelled_at_a_time(queue: Queue, producer: FlowProducer) -> None:
    node = await producer.add(root_of(*(Flow("leaf", queue="tasks") for _ in range(450))))

    await queue.cancel(node.job.id)

    counts = await queue.get_job_counts("failed", "waiting", "waiting-children")
    assert counts == {"failed": 451, "waiting": 0, "waiting-children": 0}


@pytest.mark.parametrize("on_failure", ["fail_parent", "continue_parent", "ignore", "remove"])
async def test_a_cancelled_child_is_one_that_failed_for_its_parent(
    queue: Queue, producer: FlowProducer, start_worker: WorkerStarter, on_failure: FailurePolicy
) -> None:
    async def handler(job: Job) -> str:
        return "ran"

    flow = Flow(
        "root", queue="tasks", children=[Flow("leaf", queue="tasks", on_failure=on_failure, delay=60)]
    )
    root, leaf = jobs_of(await producer.add(flow))

    assert await leaf.cancel() == "cancelled"

    assert await root.is_waiting()
    await start_worker(handler)
    await eventually(root.is_failed if on_failure == "fail_parent" else root.is_completed)


async def test_a_cancelled_child_without_a_policy_lets_its_parent_wait(
    queue: Queue, producer: FlowProducer
) -> None:
    root, leaf = jobs_of(await producer.add(root_of(Flow("leaf", queue="tasks"))))

    await leaf.cancel()

    assert await states([root, leaf]) == ["waiting-children", "failed"]


async def test_children_of_a_job_that_is_done_are_cancelled_too(
    queue: Queue, producer: FlowProducer, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> None:
        raise ValueError("no luck")

    flow = Flow(
        "root",
        queue="tasks",
        children=[
            Flow("bad", queue="tasks", on_failure="fail_parent"),
            Flow("leaf", queue="tasks", delay=60),
        ],
    )
    root, bad, leaf = jobs_of(await producer.add(flow))
    await start_worker(handler)
    await eventually(root.is_failed)

    assert await root.cancel() is Cancellation.FINISHED
    assert await states([root, bad, leaf]) == ["failed"] * 3


async def test_a_running_parent_adds_no_children_after_it_was_cancelled(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    """What its handler is about to add when it is cancelled would be run for nobody."""
    refused: list[str] = []

    async def handler(job: Job) -> None:
        try:
            while True:
                await queue.add("child", parent=job, delay=60)
        except asyncio.CancelledError:
            try:
                await queue.add("child", parent=job, delay=60)
            except JobNotInState as error:
                refused.append(str(error))

    await start_worker(handler)
    for _ in range(10):
        root = await queue.add("root")
        await eventually(partial(_has_children, root))
        assert await root.cancel() is Cancellation.CANCELLING
        await eventually(root.is_failed)

    assert await queue.get_job_counts("delayed") == {"delayed": 0}
    assert len(refused) == 10
    assert "was cancelled" in refused[0]


async def _has_children(root: Job) -> bool:
    return (await root.dependency_counts())["unprocessed"] > 0


async def test_a_parent_that_has_completed_though_it_was_cancelled_gets_children_again(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    worker = new_worker()
    root = await queue.add("root")
    taken = await worker.get_next_job()
    assert taken is not None
    assert await root.cancel() is Cancellation.UNREACHABLE
    with pytest.raises(JobNotInState):
        await queue.add("child", parent=root)
    await worker.complete(taken, "done")

    assert await (await queue.add("child", parent=root)).state() == "waiting"
