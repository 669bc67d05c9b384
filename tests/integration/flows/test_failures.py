"""What becomes of a parent when a child fails, and how it is seen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from toril import (
    ChildFailed,
    Flow,
    FlowProducer,
    Job,
    JobFailed,
    OptionError,
    ParentNotFound,
    Queue,
    QueueEvents,
    Unrecoverable,
    Worker,
)


async def work(job: Job) -> Any:
    if job.name == "bad":
        raise ValueError("broken")
    return {
        "values": len(await job.children_values()),
        "ignored": list((await job.ignored_failures()).values()),
    }


def failures_of(worker: Worker) -> dict[str, BaseException]:
    heard: dict[str, BaseException] = {}

    def note(job: Job, error: BaseException, previous: str) -> None:
        heard[job.name] = error

    worker.on("failed", note)
    return heard


async def test_a_parent_and_its_parent_fail_because_of_a_child(
    producer: FlowProducer, start_worker: WorkerStarter, prefix: str
) -> None:
    worker = await start_worker(work, "tasks", concurrency=3)
    heard = failures_of(worker)
    bad = Flow("bad", queue="tasks", job_id="b", on_failure="fail_parent")
    middle = Flow("middle", queue="tasks", job_id="m", on_failure="fail_parent", children=[bad])
    root = await producer.add(Flow("root", queue="tasks", job_id="r", children=[middle]))

    with pytest.raises(JobFailed, match=f"child {prefix}:tasks:m failed") as raised:
        await root.job.result(timeout=5)
    cause = raised.value.caused_by_child
    assert cause is not None
    assert (cause.queue, cause.id) == (f"{prefix}:tasks", "m")
    assert (cause.root.id, cause.root.reason, cause.root.cause) == ("b", "broken", None)

    await eventually(lambda: len(heard) == 3)
    assert isinstance(heard["root"], ChildFailed)
    assert isinstance(heard["middle"], ChildFailed)
    assert heard["middle"].caused_by_child.reason == "broken"
    assert heard["root"].caused_by_child == cause
    assert not isinstance(heard["bad"], Unrecoverable)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("ignore", {"values": 1, "ignored": ["broken"]}),
        ("remove", {"values": 1, "ignored": []}),
    ],
)
async def test_a_parent_that_runs_all_the_same(
    producer: FlowProducer, start_worker: WorkerStarter, policy: Any, expected: Any
) -> None:
    await start_worker(work, "tasks", concurrency=3)
    children = [Flow("bad", queue="tasks", on_failure=policy), Flow("good", queue="tasks")]
    root = await producer.add(Flow("root", queue="tasks", children=children))

    assert await root.job.result(timeout=5) == expected


async def test_a_parent_that_goes_on_at_once(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    seen: list[dict[str, int]] = []

    async def look(job: Job) -> Any:
        if job.name == "root":
            seen.append(await job.dependency_counts())
        return await work(job)

    await start_worker(look, "tasks", concurrency=3)
    children = [
        Flow("bad", queue="tasks", on_failure="continue_parent"),
        Flow("later", queue="tasks", delay=3600),
    ]
    root = await producer.add(Flow("root", queue="tasks", children=children))

    with pytest.raises(JobFailed, match="pending"):
        await root.job.result(timeout=5)
    assert seen == [{"processed": 0, "unprocessed": 1, "ignored": 1, "failed": 0}]


async def test_a_retried_child_lets_its_parent_run(
    producer: FlowProducer, start_worker: WorkerStarter
) -> None:
    attempts: list[str] = []

    async def second_time(job: Job) -> Any:
        attempts.append(job.name)
        if job.name == "bad" and attempts.count("bad") == 1:
            raise ValueError("broken")
        return len(await job.children_values())

    await start_worker(second_time, "tasks")
    root = await producer.add(Flow("root", queue="tasks", children=[Flow("bad", queue="tasks")]))
    child = root.children[0].job
    with pytest.raises(JobFailed):
        await child.result(timeout=5)
    await child.retry()

    assert await root.job.result(timeout=5) == 1


async def test_stuck_parents_are_found_with_the_reason(
    producer: FlowProducer,
    new_queue: QueueFactory,
    start_worker: WorkerStarter,
    database: Database,
    prefix: str,
) -> None:
    await start_worker(work, "parts")
    queue = new_queue("tasks")

    def leaf(name: str, **options: Any) -> Flow:
        return Flow(name, queue="parts", **options)

    trees = {
        "unlucky": [leaf("bad", job_id="f")],
        "missing": [leaf("gone", job_id="g", delay=3600)],
        "fine": [leaf("later", delay=3600)],
        "empty": [leaf("later", job_id="e", delay=3600)],
        "above": [Flow("m", queue="tasks", job_id="m", children=[leaf("bad", job_id="f2")])],
    }
    nodes = {
        name: await producer.add(Flow("root", queue="tasks", job_id=name, children=children))
        for name, children in trees.items()
    }
    for place in (nodes["unlucky"], nodes["above"].children[0]):
        with pytest.raises(JobFailed):
            await place.children[0].job.result(timeout=5)
    database.command("DEL", f"{prefix}:parts:g")
    database.command("SREM", f"{prefix}:tasks:empty:dependencies", f"{prefix}:parts:e")

    stuck = {parent.id: parent for parent in await queue.stuck_parents()}
    assert set(stuck) == {"unlucky", "missing", "empty", "above", "m"}
    assert "has failed" in stuck["unlucky"].reason
    assert f"child {prefix}:parts:g is gone" in stuck["missing"].reason
    assert "no child is pending" in stuck["empty"].reason
    assert [child.key for child in stuck["above"].children] == [f"{prefix}:tasks:m"]
    assert len(await queue.stuck_parents(limit=2)) == 2
    with pytest.raises(OptionError):
        await queue.stuck_parents(limit=0)


async def test_parents_that_wait_for_each_other_are_stuck(
    producer: FlowProducer, new_queue: QueueFactory
) -> None:
    queue: Queue = new_queue("tasks")
    node = await producer.add(
        Flow(
            "a",
            queue="tasks",
            job_id="a",
            children=[
                Flow(
                    "b",
                    queue="tasks",
                    job_id="b",
                    children=[Flow("c", queue="tasks", job_id="c", delay=3600)],
                )
            ],
        )
    )
    assert await queue.stuck_parents() == []
    await queue.add("a", job_id="a", parent=node.children[0].job)

    stuck = await queue.stuck_parents()
    assert {parent.id for parent in stuck} == {"a", "b"}


async def test_children_are_added_while_the_parent_runs(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queue = new_queue("tasks")

    async def parent_waits() -> bool:
        return await queue.get_waiting_children_count() == 1

    async def steps(job: Job) -> Any:
        if job.name == "child":
            if job.data == 0:
                await eventually(parent_waits)
            return job.data
        if job.data["step"] == "begin":
            for n in range(3):
                await queue.add("child", n, parent=job)
            await job.update_data({"step": "collect"})
        await job.wait_for_children()
        return sorted((await job.children_values()).values())

    await start_worker(steps, "tasks", concurrency=4)
    parent = await queue.add("parent", {"step": "begin"}, attempts=1)
    assert await parent.result(timeout=5) == [0, 1, 2]
    await parent.refresh()
    assert (parent.attempts_started, parent.attempts_made) == (2, 1)


async def test_waiting_for_no_children_goes_on(new_queue: QueueFactory, start_worker: WorkerStarter) -> None:
    async def alone(job: Job) -> str:
        await job.wait_for_children()
        return "went on"

    await start_worker(alone, "tasks")
    assert await (await new_queue("tasks").add("work")).result(timeout=5) == "went on"


async def test_children_of_a_thread(new_queue: QueueFactory, start_worker: WorkerStarter) -> None:
    loop = asyncio.get_running_loop()
    queue = new_queue("tasks")

    def steps(job: Any) -> Any:
        if job.name == "child":
            return job.data
        if not job.dependency_counts()["processed"]:
            adding = queue.add("child", 7, parent={"id": job.id, "queue": job.queue.qualified})
            asyncio.run_coroutine_threadsafe(adding, loop).result()
        job.wait_for_children()
        return list(job.children_values().values())

    await start_worker(steps, "tasks", concurrency=2)
    assert await (await queue.add("parent")).result(timeout=5) == [7]


async def test_pages_of_children(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    children = [Flow("leaf", n, queue="parts", job_id=f"leaf-{n}") for n in range(600)]
    node = await producer.add(Flow("root", queue="tasks", children=children))
    whole = await node.job.dependencies()
    assert len(whole.unprocessed) == 600

    keys: set[str] = set()
    cursor = 0
    while True:
        page = await node.job.dependencies(unprocessed=(cursor, 50))
        keys.update(page.unprocessed)
        cursor = page.next["unprocessed"]
        if not cursor:
            break
    assert keys == set(whole.unprocessed)
    with pytest.raises(OptionError, match="did you mean 'processed'"):
        await node.job.dependencies(procesed=(0, 1))


async def test_a_child_lets_its_parent_go(producer: FlowProducer, start_worker: WorkerStarter) -> None:
    await start_worker(work, "tasks")
    node = await producer.add(
        Flow("root", queue="tasks", children=[Flow("later", queue="tasks", delay=3600)])
    )
    child = node.children[0].job

    assert await child.remove_child_dependency()
    assert child.parent_key is None
    assert (await node.job.result(timeout=5))["values"] == 0
    with pytest.raises(ParentNotFound):
        await child.remove_child_dependency()


async def test_children_that_were_not_run_can_be_removed(
    producer: FlowProducer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    await start_worker(work, "parts")
    children = [Flow("done", queue="parts"), *(Flow("later", queue="parts", delay=3600) for _ in range(3))]
    node = await producer.add(Flow("root", queue="tasks", children=children))
    await node.children[0].job.result(timeout=5)
    await node.job.remove_unprocessed_children()

    assert (await node.job.dependency_counts())["unprocessed"] == 0
    assert await new_queue("parts").get_delayed_count() == 0
    assert await node.job.is_waiting()


async def test_a_deduplication_id_is_given_up_by_its_job_alone(new_queue: QueueFactory) -> None:
    queue = new_queue("tasks")
    first = await queue.add("work", deduplication={"id": "d"})
    other = await queue.add("work")

    assert not await other.remove_deduplication_key()
    assert await first.remove_deduplication_key()
    assert not await first.remove_deduplication_key()
    assert (await queue.add("work", deduplication={"id": "d"})).created


async def test_events_name_the_child_that_made_a_parent_fail(
    producer: FlowProducer, start_worker: WorkerStarter, url: str, prefix: str
) -> None:
    await start_worker(work, "tasks")
    await start_worker(work, "parts")
    bad = Flow("bad", queue="parts", job_id="b", on_failure="fail_parent")
    middle = Flow("middle", queue="tasks", job_id="m", on_failure="fail_parent", children=[bad])
    seen: dict[str, tuple[Any, Any]] = {}
    async with QueueEvents("tasks", url=url, prefix=prefix) as events:
        await producer.add(Flow("root", queue="tasks", job_id="r", children=[middle]))
        async for event in events:
            if event.name == "failed":
                seen[str(event.job_id)] = (event.caused_by_child, await events.cause_of(event))
            if "r" in seen:
                break

    assert {id: told.id for id, (told, _) in seen.items()} == {"m": "b", "r": "m"}
    assert seen["m"][0].queue == f"{prefix}:parts"
    assert (seen["r"][1].id, seen["r"][1].root.id, seen["r"][1].root.reason) == ("m", "b", "broken")


async def test_what_children_returned_that_is_no_json_is_given_as_its_text(
    producer: FlowProducer, new_queue: QueueFactory, database: Database
) -> None:
    node = await producer.add(Flow("root", queue="tasks", children=[Flow("leaf", queue="tasks")]))
    deep = "[" * 100_000
    values = {"test:q:1": "undefined", "test:q:2": "[1]", "test:q:3": deep, "test:q:4": ""}
    key = f"{node.job.queue.job_key(node.job.id)}:processed"
    for child, value in values.items():
        database.command("HSET", key, child, value)
    database.command("EVAL", "redis.call('HSET', KEYS[1], 'test:q:5', '\"\\255\"')", 1, key)
    read = {**values, "test:q:2": [1], "test:q:5": '"\ufffd"'}

    assert await node.job.children_values() == read
    assert (await node.job.dependencies()).processed == read
    assert (await node.job.dependencies(processed=(0, 10))).processed == read
    page = await new_queue("tasks").get_dependencies(node.job.id)
    assert {child.key: child.value for child in page.items if child.error is None} == {"test:q:2": [1]}
    assert {child.key for child in page.items if child.error} == {*read} - {"test:q:2"}
