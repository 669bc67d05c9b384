"""How a worker ends."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, JobFailed, Queue, Worker


class Gate:
    """A handler that tells when it has started and waits until it may go on."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled: list[str] = []

    async def __call__(self, job: Job) -> str:
        self.started.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.append(job.id)
            raise
        return "done"


async def nothing(job: Job) -> None:
    """All done."""


async def test_closing_lets_running_jobs_finish(queue: Queue, start_worker: WorkerStarter) -> None:
    gate = Gate()
    worker = await start_worker(gate)
    job = await queue.add("work")
    await gate.started.wait()
    closing = asyncio.create_task(worker.close())
    await eventually(lambda: not worker.is_running or not closing.done())
    gate.go_on.set()
    await closing

    assert (await job.state(), worker.is_running, worker.health) == ("completed", False, "stopped")


async def test_and_takes_no_more(queue: Queue, start_worker: WorkerStarter) -> None:
    gate = Gate()
    worker = await start_worker(gate)
    jobs = [await queue.add("work") for _ in range(3)]
    await gate.started.wait()
    closing = asyncio.create_task(worker.close())
    asyncio.get_running_loop().call_soon(gate.go_on.set)
    await closing

    assert [await job.state() for job in jobs] == ["completed", "waiting", "waiting"]


async def test_with_a_timeout_it_gives_back_what_takes_longer(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    gate = Gate()
    worker = await start_worker(gate)
    job = await queue.add("work")
    await queue.add("after it")
    await gate.started.wait()
    await worker.close(timeout=0.05)
    await job.refresh()

    assert gate.cancelled == ["1"]
    assert (await job.state(), job.attempts_made) == ("waiting", 0)
    assert [waiting.id for waiting in await queue.get_waiting()] == ["1", "2"]


async def test_what_was_given_back_runs_elsewhere_at_once(queue: Queue, start_worker: WorkerStarter) -> None:
    gate = Gate()
    worker = await start_worker(gate)
    job = await queue.add("work")
    await gate.started.wait()
    await start_worker(nothing)
    await worker.close(timeout=0)

    assert await job.result(timeout=3) is None


async def test_by_force_it_waits_for_nothing(queue: Queue, start_worker: WorkerStarter) -> None:
    gate = Gate()
    worker = await start_worker(gate, concurrency=3)
    for _ in range(5):
        await queue.add("work")
    await eventually(lambda: _active(queue, 3))
    await worker.close(force=True)

    assert sorted(gate.cancelled) == ["1", "2", "3"]
    assert await queue.get_job_counts("waiting", "active") == {"waiting": 5, "active": 0}


async def _active(queue: Queue, count: int) -> bool:
    return await queue.get_active_count() == count


async def test_closing_twice_is_closing_once(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(nothing)
    closed: list[str] = []
    worker.on("closed", lambda: closed.append("closed"))
    await asyncio.gather(worker.close(), worker.close())
    await worker.close()

    assert closed == ["closed"]


async def test_a_worker_that_never_started_can_be_closed(new_worker: WorkerFactory) -> None:
    worker = new_worker(nothing)
    await worker.close()

    assert not worker.is_running


async def test_run_returns_when_the_worker_is_closed(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker(nothing)
    running = asyncio.create_task(worker.run())
    await (await queue.add("work")).result(timeout=5)
    await worker.close()

    await asyncio.wait_for(running, 5)
    assert not worker.is_running


async def test_a_worker_can_be_used_as_a_context_manager(queue: Queue, new_worker: WorkerFactory) -> None:
    async with new_worker(nothing) as worker:
        await worker.start()
        await (await queue.add("work")).result(timeout=5)

    assert not worker.is_running


async def test_a_cancelled_run_leaves_a_worker_that_can_be_closed(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    worker = new_worker(nothing)
    running = asyncio.create_task(worker.run())
    await (await queue.add("work")).result(timeout=5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await worker.close()

    assert not worker.is_running


async def test_a_queue_that_is_closed_can_be_used_again(new_queue: QueueFactory) -> None:
    queue = new_queue()
    await queue.add("work")
    await queue.close()

    assert (await queue.add("work")).id == "2"


async def test_objects_that_share_a_server_are_closed_one_by_one(
    new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    first, second = new_queue("mail"), new_queue("film")
    await first.add("work")
    await second.add("work")
    worker = await start_worker(nothing, "mail")
    await first.close()
    await worker.close()

    assert await second.count() == 1


async def test_a_handler_that_waits_for_its_worker_to_close_is_told_so(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    async def closes(job: Job) -> None:
        await worker.close()

    worker = new_worker(closes)
    await worker.start()

    with pytest.raises(JobFailed, match="give a timeout, or close in a task of its own"):
        await (await queue.add("work")).result(timeout=5)
    assert worker.is_running


async def test_a_handler_may_close_its_worker_in_a_task_of_its_own(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    async def closes(job: Job) -> str:
        closing.append(asyncio.create_task(worker.close()))
        return "done"

    closing: list[asyncio.Task[None]] = []
    worker = new_worker(closes)
    await worker.start()

    assert await (await queue.add("work")).result(timeout=5) == "done"
    await asyncio.wait_for(closing[0], 5)
    assert not worker.is_running


async def test_on_stop_can_not_wait_for_the_worker_to_close(new_worker: WorkerFactory) -> None:
    async def on_stop(worker: Worker) -> None:
        await worker.close()

    errors: list[BaseException] = []
    worker = new_worker(nothing, on_stop=on_stop)
    worker.on("error", errors.append)
    await worker.start()
    await asyncio.wait_for(worker.close(), 5)

    assert ["its own end" in str(error) for error in errors] == [True]
