"""How long finished jobs are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import AddOptions, Job, Keep, Queue, Worker
from toril.store.contract import Store


async def nothing(job: Job) -> None:
    """All done."""


async def break_down(job: Job) -> None:
    raise ValueError("broken")


async def run_jobs(queue: Queue, worker: Worker, *all_options: AddOptions) -> None:
    """Run a job with each of these options, one after the other."""

    def listener(*facts: object) -> None:
        done.set()

    done = asyncio.Event()
    worker.on("completed", listener)
    worker.on("failed", listener)
    for options in all_options:
        done.clear()
        await queue.add("work", **options)
        await asyncio.wait_for(done.wait(), 5)


async def test_finished_jobs_are_kept_unless_told_otherwise(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await run_jobs(queue, await start_worker(nothing), {}, {}, {})

    assert [job.id for job in await queue.get_completed()] == ["3", "2", "1"]


async def test_none_is_kept(queue: Queue, start_worker: WorkerStarter) -> None:
    options: AddOptions = {"remove_on_complete": True}
    await run_jobs(queue, await start_worker(nothing), options, options, options)

    assert await queue.get_completed_count() == 0
    assert await queue.get_job("1") is None


async def test_the_latest_few_are_kept(queue: Queue, start_worker: WorkerStarter) -> None:
    options: AddOptions = {"remove_on_complete": 2}
    await run_jobs(queue, await start_worker(nothing), options, options, options, options, options)

    assert [job.id for job in await queue.get_completed()] == ["5", "4"]
    assert await queue.get_job("1") is None


@pytest.fixture
def run_one(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store
) -> Callable[[], Awaitable[None]]:
    queue, worker = new_queue(store=store), new_worker(nothing, store=store, remove_on_complete=Keep(age=60))

    async def run() -> None:
        await queue.add("work")
        job = await worker.get_next_job(block=False)
        assert job is not None
        await worker.process(job)

    return run


async def test_jobs_are_kept_for_a_while(
    new_queue: QueueFactory, store: Store, clock: Clock, run_one: Callable[[], Awaitable[None]]
) -> None:
    await run_one()
    clock.forward(40)
    await run_one()
    clock.forward(40)
    await run_one()

    assert [job.id for job in await new_queue(store=store).get_completed()] == ["3", "2"]


async def test_the_worker_says_what_holds_for_jobs_that_say_nothing(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(nothing, remove_on_complete=1)
    await run_jobs(queue, worker, {}, {}, {}, {"remove_on_complete": False})

    assert [job.id for job in await queue.get_completed()] == ["4", "3"]


async def test_failed_jobs_have_a_rule_of_their_own(queue: Queue, start_worker: WorkerStarter) -> None:
    options: AddOptions = {"remove_on_fail": 1, "remove_on_complete": True}
    await run_jobs(queue, await start_worker(break_down), options, options, options)

    assert [job.id for job in await queue.get_failed()] == ["3"]


async def test_a_result_that_is_not_kept_is_still_told_to_those_who_wait(
    queue: Queue, start_worker: WorkerStarter, database: Database
) -> None:
    async def handler(job: Job) -> str:
        await go_on.wait()
        return "told"

    go_on = asyncio.Event()
    await start_worker(handler)
    job = await queue.add("work", remove_on_complete=True)
    waiting = asyncio.create_task(job.result(timeout=5))
    await eventually(lambda: any(client["cmd"] == "xread" for client in database.clients()))
    # What was asked before this is answered before this.
    await queue.count()
    go_on.set()

    assert await waiting == "told"
    assert await queue.get_job(job.id) is None
