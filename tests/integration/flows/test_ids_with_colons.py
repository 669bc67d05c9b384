"""Ids that hold colons, as those of schedulers' jobs do: they are parents and children like all others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from toril import Flow, FlowProducer, Job, JobFailed, JobSpec, Worker


async def work(job: Job) -> Any:
    if job.name == "bad":
        raise ValueError("broken")
    return sorted((await job.children_values()).values()) or job.data


async def test_such_a_parent_is_released(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    await start_worker(work, "tasks")
    node = await producer.add(
        Flow("root", queue="tasks", job_id="a:b:c", children=[Flow("leaf", 1, queue="tasks", job_id="x:y:z")])
    )
    assert await node.job.result(timeout=5) == [1]


async def test_such_a_parent_of_another_prefix_is_released(
    producer: FlowProducer, prefix: str, url: str
) -> None:
    leaf = Flow("leaf", 1, queue="parts", prefix=f"{prefix}-more")
    node = await producer.add(Flow("root", queue="tasks", job_id="a:b:c", children=[leaf]))
    async with Worker("parts", work, url=url, prefix=f"{prefix}-more"):
        await node.children[0].job.result(timeout=5)

    assert await node.job.is_waiting()


async def test_such_a_parent_fails_with_its_child(
    producer: FlowProducer, start_worker: WorkerStarter
) -> None:
    await start_worker(work, "tasks")
    bad = Flow("bad", queue="tasks", job_id="x:y:z", on_failure="fail_parent")
    node = await producer.add(Flow("root", queue="tasks", job_id="a:b:c", children=[bad]))

    with pytest.raises(JobFailed) as raised:
        await node.job.result(timeout=5)
    assert raised.value.caused_by_child is not None
    assert (raised.value.caused_by_child.id, raised.value.caused_by_child.reason) == ("x:y:z", "broken")


async def test_such_children_are_removed_whole(
    producer: FlowProducer, new_queue: QueueFactory, database: Database, prefix: str
) -> None:
    parts = new_queue("parts")

    def tree() -> Flow:
        leaf = Flow("leaf", queue="parts", job_id="x:y:z")
        return Flow("root", queue="tasks", job_id="a:b:c", children=[leaf])

    node = await producer.add(tree())
    await node.job.remove_unprocessed_children()
    assert await parts.count() == 0
    assert await node.job.is_waiting()

    await node.job.remove()
    await (await producer.add(tree())).job.remove()
    assert await parts.count() == 0
    stray = {key.removeprefix(f"{prefix}:").split(":")[0] for key in database.dump()}
    assert stray == {"tasks", "parts"}


async def test_a_waiting_child_is_not_taken_to_be_stuck(
    producer: FlowProducer, new_queue: QueueFactory
) -> None:
    leaf = Flow("leaf", queue="tasks", job_id="x:y:z")
    await producer.add(Flow("root", queue="tasks", job_id="a:b:c", children=[leaf]))
    assert await new_queue("tasks").stuck_parents() == []


async def test_a_schedulers_job_waits_for_children_that_it_adds(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queue = new_queue("tasks")
    results: list[Any] = []

    async def fan_out(job: Job) -> Any:
        if job.name == "leaf":
            return job.data
        if not (await job.dependency_counts())["processed"]:
            await queue.add_many([("leaf", n, {"parent": job}) for n in range(3)])
        await job.wait_for_children()
        results.append(sorted((await job.children_values()).values()))
        return None

    await start_worker(fan_out, "tasks", concurrency=2)
    await queue.upsert_job_scheduler("nightly", JobSpec("root"), every=3600)
    await eventually(lambda: results == [[0, 1, 2]])
