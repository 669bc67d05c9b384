"""Faults of the worker that were found once, and must not come back."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory
from toril import Job, JobFailed, Queue, QueueEvents, Unrecoverable, WaitForChildren
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.stream import StreamId
from toril.store.contract import Store

tenant: contextvars.ContextVar[str | None] = contextvars.ContextVar("tenant", default=None)


class Panic(BaseException):
    """What extensions written in other languages raise."""


async def sleeps(job: Job) -> None:
    await asyncio.Event().wait()


async def active(queue: Queue, count: int = 1) -> None:
    async def enough() -> bool:
        return await queue.get_active_count() == count

    await eventually(enough)


async def test_a_worker_may_be_closed_again_after_it_was_forced(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    worker = new_worker(sleeps)
    await worker.start()
    await queue.add("work")
    await active(queue)
    await worker.close(force=True)

    await asyncio.wait_for(worker.close(), 2)
    assert await queue.get_job_counts("waiting", "active") == {"waiting": 1, "active": 0}


async def test_a_second_close_hurries_the_first(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker(sleeps)
    await worker.start()
    await queue.add("work")
    await active(queue)
    first = asyncio.create_task(worker.close())
    await asyncio.wait_for(worker.close(timeout=0.01), 2)

    await asyncio.wait_for(first, 2)
    assert await queue.get_waiting_count() == 1


async def test_a_handler_may_answer_its_cancellation(queue: Queue, new_worker: WorkerFactory) -> None:
    async def stubborn(job: Job) -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "saved in time"
        return "never"

    worker = new_worker(stubborn)
    await worker.start()
    job = await queue.add("work")
    await active(queue)
    await asyncio.wait_for(worker.close(force=True), 3)

    await job.refresh()
    assert (await job.state(), job.return_value) == ("completed", "saved in time")


def raises_a_panic() -> None:
    raise Panic("from another language")


def cancels_its_own_task() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


@pytest.mark.parametrize("harm", [raises_a_panic, cancels_its_own_task])
async def test_no_handler_can_take_its_slot_along(
    queue: Queue, new_worker: WorkerFactory, harm: Callable[[], None]
) -> None:
    async def handler(job: Job) -> str:
        if job.name == "bad":
            harm()
            await asyncio.sleep(0)
        return "done"

    worker = new_worker(handler)
    await worker.start()
    bad, good = await queue.add("bad"), await queue.add("good")

    assert await good.result(timeout=5) == "done"
    assert await bad.state() == "failed"


async def test_a_strategy_may_be_cancelled_too(queue: Queue, new_worker: WorkerFactory) -> None:
    async def handler(job: Job) -> None:
        raise ValueError("once")

    def strategy(*_: object) -> float:
        raise asyncio.CancelledError

    worker = new_worker(handler, backoff_strategies={"odd": strategy})
    await worker.start()
    job = await queue.add("work", attempts=3, backoff={"type": "odd"})
    await eventually(job.is_failed)

    assert worker.health == "healthy"


async def test_a_listener_may_raise_a_cancellation(queue: Queue, new_worker: WorkerFactory) -> None:
    async def handler(job: Job) -> int:
        return job.data

    def listener(*_: object) -> None:
        raise asyncio.CancelledError

    worker = new_worker(handler)
    for event in ("active", "completed"):
        worker.on(event, listener)
    await worker.start()
    jobs = [await queue.add("work", n) for n in range(3)]

    assert [await job.result(timeout=5) for job in jobs] == [0, 1, 2]


async def test_a_forced_close_under_load_leaves_nothing_active(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    async def handler(job: Job) -> None:
        return None

    await queue.add_many([("work", n) for n in range(3000)])
    worker = new_worker(handler, concurrency=100)
    await worker.start()
    await eventually(queue.get_completed_count)
    await worker.close(force=True)

    counts = await queue.get_job_counts("active", "completed", "waiting")
    assert (counts["active"], counts["completed"] + counts["waiting"]) == (0, 3000)


async def test_odd_numbers_of_other_clients_spoil_nothing(
    queue: Queue, new_worker: WorkerFactory, database: Database
) -> None:
    async def handler(job: Job) -> None:
        raise Unrecoverable("all fail")

    jobs = [await queue.add("work", n) for n in range(5)]
    odd = '{"attempts":1e300,"removeOnFail":{"count":1e300,"age":1e300}}'
    database.command("HSET", queue.ref.job_key(jobs[2].id), "opts", odd)
    worker = new_worker(handler, concurrency=10)
    await worker.start()

    async def all_failed() -> bool:
        return await queue.get_failed_count() == 5

    await eventually(all_failed)
    assert await queue.get_active_count() == 0


async def test_what_one_job_binds_is_not_there_for_the_next(queue: Queue, new_worker: WorkerFactory) -> None:
    async def handler(job: Job) -> str | None:
        before = tenant.get()
        tenant.set(job.data)
        await asyncio.sleep(0)
        return before

    worker = new_worker(handler)
    await worker.start()
    jobs = [await queue.add("work", name) for name in ("a", "b", "c")]

    assert [await job.result(timeout=5) for job in jobs] == [None, None, None]


async def test_closing_while_it_connects_stops_the_worker(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker(sleeps)
    running = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    await worker.close()
    await asyncio.wait_for(running, 2)

    assert not worker.is_running


async def test_starting_twice_at_once_starts_once(queue: Queue, new_worker: WorkerFactory) -> None:
    ready: list[str] = []
    worker = new_worker(sleeps)
    worker.on("ready", lambda: ready.append("ready"))
    await asyncio.gather(worker.start(), worker.start())

    assert ready == ["ready"]


async def test_a_closed_worker_says_that_it_can_not_start(new_worker: WorkerFactory) -> None:
    worker = new_worker(sleeps)
    await worker.start()
    await worker.close()

    with pytest.raises(RuntimeError, match="was closed"):
        await worker.start()


async def test_waiting_for_a_child_that_has_failed_fails_the_job(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    async def handler(job: Job) -> None:
        if job.name == "child":
            raise Unrecoverable("no luck")
        child = await queue.add("child", parent=job, on_failure="fail_parent")
        with suppress(JobFailed):
            await child.result(timeout=5)
        raise WaitForChildren

    worker = new_worker(handler, concurrency=2)
    await worker.start()
    job = await queue.add("parent")

    with pytest.raises(JobFailed, match="at least one failed child"):
        await job.result(timeout=5)


async def test_a_failure_that_is_told_while_the_job_is_looked_at_has_its_stacktrace(
    new_queue: QueueFactory,
    store: Store,
    prefix: str,
    new_worker: WorkerFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = new_queue(store=store)
    job = await queue.add("work")
    look, told = store.jobs.outcome, asyncio.Event()

    async def slow_look(ref: QueueRef, id: str) -> tuple[str, JobRecord, StreamId]:
        seen = await look(ref, id)
        if not told.is_set():
            await worker.start()
            await told.wait()
        return seen

    async def fails(job: Job) -> None:
        raise ValueError("no")

    worker = new_worker(fails)
    monkeypatch.setattr(store.jobs, "outcome", slow_look)
    async with QueueEvents(queue.name, store=store, prefix=prefix) as events:
        events.on("failed", lambda event: told.set())
        with pytest.raises(JobFailed) as caught:
            await job.result(timeout=10)

    assert "ValueError: no" in caught.value.stacktrace[0]
