"""What a worker tells its listeners, who can never harm a job."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from toril import Job, JobFailed, LockLost, OptionError, Queue, Worker


class Ear:
    """Notes the events of a worker with what comes with them."""

    def __init__(self, worker: Worker, *events: str) -> None:
        self.heard: list[tuple[Any, ...]] = []
        for event in events:
            worker.on(event, self._listener(event))

    def _listener(self, event: str) -> Any:
        def listener(*facts: Any) -> None:
            self.heard.append((event, *facts))

        return listener

    @property
    def names(self) -> list[str]:
        return [fact[0] for fact in self.heard]


async def double(job: Job) -> int:
    return job.data * 2


async def break_down(job: Job) -> None:
    raise ValueError("broken")


async def test_the_life_of_a_job(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker(double)
    ear = Ear(worker, "ready", "active", "completed", "failed")
    await worker.start()
    await (await queue.add("double", 4)).result(timeout=5)

    await eventually(lambda: len(ear.heard) == 3)
    assert ear.names == ["ready", "active", "completed"]
    assert (ear.heard[1][1].id, ear.heard[2][1].return_value, ear.heard[2][2]) == ("1", 8, 8)


async def test_failures_are_told_with_their_error(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(break_down)
    ear = Ear(worker, "failed")
    with pytest.raises(JobFailed):
        await (await queue.add("work", attempts=2)).result(timeout=5)

    await eventually(lambda: len(ear.heard) == 2)
    event, job, error, previous = ear.heard[0]
    assert (event, job.id, str(error), previous) == ("failed", "1", "broken", "active")
    assert [fact[1].attempts_made for fact in ear.heard][-1] == 2


async def test_a_worker_tells_when_the_queue_has_run_empty(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(double)
    ear = Ear(worker, "drained")
    await queue.add_many([("double", n) for n in range(5)])

    await eventually(lambda: ear.heard)
    assert await queue.get_completed_count() == 5


async def test_pausing_and_closing_are_told(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(double)
    ear = Ear(worker, "paused", "resumed", "closing", "closed")
    await worker.pause()
    await worker.resume()
    await worker.close()

    assert ear.names == ["paused", "resumed", "closing", "closed"]


async def test_a_listener_may_be_async(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(double)
    heard: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def listener(job: Job, result: Any) -> None:
        heard.set_result(await queue.get_job_state(job.id))

    worker.on("completed", listener)
    await queue.add("double", 1)

    assert await asyncio.wait_for(heard, 5) == "completed"


async def test_a_listener_that_raises_harms_nobody(
    queue: Queue, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await start_worker(double)
    ear = Ear(worker, "completed")

    def bad(*facts: object) -> None:
        raise RuntimeError("a bad listener")

    async def bad_later(*facts: object) -> None:
        raise RuntimeError("a bad listener")

    for event in ("active", "completed", "failed"):
        worker.on(event, bad)
        worker.on(event, bad_later)
    assert [await (await queue.add("double", n)).result(timeout=5) for n in range(3)] == [0, 2, 4]

    await eventually(lambda: len(ear.heard) == 3)
    assert "a listener failed" in caplog.text


async def test_a_listener_can_leave(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(double)
    heard: list[str] = []

    def listener(job: Job, result: Any) -> None:
        heard.append(job.id)

    worker.on("completed", listener)
    await (await queue.add("double", 1)).result(timeout=5)
    await eventually(lambda: heard)
    worker.off("completed", listener)
    await (await queue.add("double", 1)).result(timeout=5)
    await worker.close()

    assert heard == ["1"]


def test_an_unknown_event_is_refused(new_worker: WorkerFactory) -> None:
    with pytest.raises(OptionError, match="did you mean 'completed'"):
        new_worker().on("complete", print)


async def test_errors_that_belong_to_no_job_are_told(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    async def lose_the_lock(job: Job) -> None:
        database.command("DEL", f"{prefix}:tasks:{job.id}:lock")

    worker = await start_worker(lose_the_lock)
    ear = Ear(worker, "error", "completed", "failed")
    await queue.add("work")

    await eventually(lambda: ear.heard)
    assert ear.names[0] == "error"
    assert isinstance(ear.heard[0][1], LockLost)
