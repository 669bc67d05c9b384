"""Removing trees of very many jobs, and jobs that stand in long lists: no call holds up the server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory
from tests.support.meter import Cost
from toril import Flow, FlowProducer, Job, JobSpec, ParentRef, Queue

# Others that wait before and behind the children.
LINE = 20_000
MANY = 4000

SlowCalls = Callable[[], list[Cost]]


async def fill(queue: Queue) -> None:
    for _ in range(LINE // 1000):
        await queue.add_many([("other", 1) for _ in range(1000)])


@pytest.fixture
async def line(new_queue: QueueFactory) -> Queue:
    """The queue of the children, where others are in line."""
    queue = new_queue("children")
    await fill(queue)
    return queue


async def add(url: str, queue: Queue, flow: Flow) -> Job:
    async with FlowProducer(url=url, prefix=queue.ref.prefix) as producer:
        node = await producer.add(flow)
    job = await queue.get_job(node.job.id)
    assert job is not None
    return job


def family(count: int, below: Flow | None = None) -> Flow:
    """A root with so many children, one of which may have some of its own."""
    children = [Flow("child", queue="children") for _ in range(count)]
    return Flow("root", queue="tasks", children=[*children, *([below] if below else [])])


def jobs_of(database: Database, queue: Queue) -> int:
    """How many jobs are stored, in whatever state."""
    script = """
    local jobs = 0
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
      if redis.call('TYPE', key).ok == 'hash' and redis.call('HEXISTS', key, 'name') == 1 then
        jobs = jobs + 1
      end
    end
    return jobs"""
    return database.command("EVAL", script, 0, f"{queue.ref.base}*")


@pytest.mark.parametrize("count", [90, MANY])
async def test_a_job_goes_with_very_many_children(
    url: str, queue: Queue, line: Queue, slow_calls: SlowCalls, count: int, database: Database
) -> None:
    job = await add(url, queue, family(count))
    await fill(line)
    slow_calls()

    assert await queue.remove(job.id)

    assert slow_calls() == []
    assert jobs_of(database, queue) == 0
    assert await line.get_waiting_count() == 2 * LINE == jobs_of(database, line)
    assert not [word for word in database.command("LRANGE", f"{line.ref.base}wait", 0, -1) if ":" in word]


async def test_children_that_others_stand_between_are_removed(
    url: str, queue: Queue, new_queue: QueueFactory, database: Database
) -> None:
    children = new_queue("children")
    job = await add(url, queue, family(0, Flow("first", queue="children")))
    for _ in range(120):
        await children.add_many([("other", 1) for _ in range(400)])
        await children.add("late child", parent=job)

    assert await queue.remove(job.id)
    assert await children.get_waiting_count() == 120 * 400 == jobs_of(database, children)


@pytest.mark.parametrize("depth", [99, 400])
async def test_deep_trees_are_removed(url: str, queue: Queue, database: Database, depth: int) -> None:
    flow = Flow("leaf", queue="tasks")
    for _ in range(depth):
        flow = Flow("inner", queue="tasks", children=[flow])
    job = await add(url, queue, flow)

    assert await queue.remove(job.id)
    assert jobs_of(database, queue) == 0
    assert sum((await queue.get_job_counts()).values()) == 0


async def test_children_that_are_done_go_too(
    url: str, queue: Queue, new_queue: QueueFactory, new_worker: WorkerFactory, database: Database
) -> None:
    async def run(job: Job) -> None:
        if job.name == "fails":
            raise ValueError("on purpose")

    children = new_queue("children")
    some = [Flow("child", queue="children") for _ in range(70)]
    gone = [Flow("gone", queue="children", remove_on_complete=True) for _ in range(70)]
    failed = [Flow("fails", queue="children", on_failure="ignore") for _ in range(70)]
    job = await add(url, queue, Flow("root", queue="tasks", children=[*some, *gone, *failed]))
    worker = new_worker(run, "children", concurrency=20)
    await worker.start()

    async def released() -> bool:
        return await job.state() == "waiting"

    await eventually(released)
    assert jobs_of(database, children) == 140

    assert await queue.remove(job.id)
    assert jobs_of(database, children) == 0
    assert jobs_of(database, queue) == 0
    assert await children.get_job_counts("completed", "failed") == {"completed": 0, "failed": 0}


async def test_nothing_of_a_large_tree_is_removed_while_a_child_runs(
    url: str, queue: Queue, new_queue: QueueFactory, new_worker: WorkerFactory, database: Database
) -> None:
    deep = Flow("mid", queue="mids", children=[Flow("runs", queue="deep")])
    job = await add(url, queue, family(300, deep))
    runner = new_worker(None, "deep")
    running = await runner.get_next_job()
    assert running is not None

    assert not await queue.remove(job.id)
    assert jobs_of(database, new_queue("children")) == 300
    assert await job.state() == "waiting-children"

    await runner.complete(running, None)
    assert await queue.remove(job.id)
    assert sum(jobs_of(database, new_queue(name)) for name in ("tasks", "children", "mids", "deep")) == 0


async def test_a_removal_that_was_broken_off_releases_nobody_and_is_gone_on_with(
    url: str, queue: Queue, new_queue: QueueFactory, database: Database
) -> None:
    children = new_queue("children")
    job = await add(url, queue, family(MANY))
    task = asyncio.create_task(queue.remove(job.id))

    async def half_way() -> bool:
        return await children.get_waiting_count() < MANY - 500

    await eventually(half_way)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

    left = await children.get_waiting_count()
    assert 0 < left == jobs_of(database, children)
    assert (await job.dependency_counts())["unprocessed"] == left
    assert await job.state() == "waiting-children"
    assert await queue.remove(job.id)
    assert jobs_of(database, children) == 0
    assert jobs_of(database, queue) == 0


async def test_jobs_that_are_their_own_ancestors_are_removed(
    url: str, queue: Queue, new_queue: QueueFactory, database: Database
) -> None:
    children = new_queue("children")
    job = await add(url, queue, family(150))
    root = queue.ref.job_key(job.id)
    for key in database.command("SMEMBERS", f"{root}:dependencies"):
        database.command("SADD", f"{key}:dependencies", root, key)

    assert await queue.remove(job.id)
    assert jobs_of(database, children) == jobs_of(database, queue) == 0
    assert database.command("KEYS", f"{queue.ref.prefix}:*:dependencies") == []


@pytest.mark.parametrize("count", [90, MANY])
async def test_very_many_children_that_were_not_run_are_removed(
    url: str, queue: Queue, line: Queue, slow_calls: SlowCalls, count: int, database: Database
) -> None:
    deep = Flow("mid", queue="mids", children=[Flow("leaf", queue="deep")])
    job = await add(url, queue, family(count, deep))
    await fill(line)
    slow_calls()

    await job.remove_unprocessed_children()

    assert slow_calls() == []
    assert await line.get_waiting_count() == 2 * LINE == jobs_of(database, line)
    assert await job.state() == "waiting"
    assert (await job.dependency_counts())["unprocessed"] == 0
    assert database.command("KEYS", f"{queue.ref.prefix}:mids:*-*") == []
    assert jobs_of(database, queue) == 1


async def test_the_children_of_a_job_that_run_or_failed_stay(
    url: str, queue: Queue, new_queue: QueueFactory, new_worker: WorkerFactory, database: Database
) -> None:
    children = new_queue("children")
    job = await add(url, queue, family(300))
    runner = new_worker(None, "children")
    running, failing = await runner.get_next_job(), await runner.get_next_job()
    assert running is not None
    assert failing is not None
    await runner.fail(failing, ValueError("on purpose"))

    await job.remove_unprocessed_children()

    assert jobs_of(database, children) == 2
    assert (await job.dependency_counts())["unprocessed"] == 2
    assert await job.state() == "waiting-children"


@pytest.mark.parametrize("count", [0, 1, 150])
async def test_places_in_line_go_with_jobs_whose_keys_are_gone(
    queue: Queue, database: Database, count: int
) -> None:
    """Somebody has deleted the keys of the root and of a child that waits, and nothing else of them."""
    root = await queue.add("root")
    parent = ParentRef(root.id, queue.ref.qualified)
    await queue.add_many([JobSpec("child", None, {"parent": parent}) for _ in range(count)])
    last = await queue.add("child", parent=parent)
    for job in (root, last):
        database.command("DEL", f"{queue.ref.base}{job.id}")

    assert await queue.remove(root.id)

    assert await queue.get_waiting_count() == 0
    assert jobs_of(database, queue) == 0
