"""Jobs that are cancelled: before they run, while they run, and after."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, cast

import pytest

import toril.sync
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory, QueueFactory, WorkerFactory, WorkerStarter
from toril import (
    BlockingJob,
    Cancellation,
    Job,
    JobFailed,
    JobNotFound,
    JobOwnedByScheduler,
    OptionError,
    Queue,
)


async def for_ever(job: Job) -> None:
    await asyncio.Event().wait()


async def nothing(job: Job) -> str:
    return "ran"


WAITING: dict[str, dict[str, Any]] = {
    "wait": {},
    "delayed": {"delay": 60},
    "prioritized": {"priority": 7},
}


@pytest.mark.parametrize("state", WAITING)
async def test_a_job_that_waits_fails_at_once(queue: Queue, state: str, new_events: EventsFactory) -> None:
    job = await queue.add("work", attempts=5, **WAITING[state])
    other = await queue.add("other", **WAITING[state])
    events = new_events()
    told: list[Any] = []
    events.on("failed", told.append)
    await events.ready()

    assert await queue.cancel(job.id) is Cancellation.CANCELLED

    await job.refresh()
    assert (await job.state(), job.failed_reason, job.attempts_made) == ("failed", "cancelled", 0)
    assert job.finished_at is not None
    assert not await other.is_failed()
    await eventually(lambda: told)
    assert (told[0].job_id, told[0].text("failedReason"), told[0].prev) == (job.id, "cancelled", state)


async def test_a_job_of_a_paused_queue_fails_at_once(queue: Queue) -> None:
    await queue.pause()
    job = await queue.add("work")

    assert await job.cancel() == "cancelled"
    assert await job.state() == "failed"


async def test_a_job_that_waits_for_its_next_attempt_is_not_tried_again(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> None:
        raise ValueError("no luck")

    await start_worker(handler)
    job = await queue.add("work", attempts=5, backoff=60)
    await eventually(job.is_delayed)

    assert await job.cancel() == "cancelled"

    await job.refresh()
    assert (await job.state(), job.failed_reason, job.attempts_made) == ("failed", "cancelled", 1)


async def test_who_awaits_it_is_told(queue: Queue) -> None:
    job = await queue.add("work", delay=60)
    waiting = asyncio.create_task(job.result(timeout=5))
    await asyncio.sleep(0)

    await queue.cancel(job.id)

    with pytest.raises(JobFailed) as caught:
        await waiting
    assert caught.value.reason == "cancelled"


async def test_failed_jobs_that_are_not_kept_are_not_kept(queue: Queue) -> None:
    job = await queue.add("work", remove_on_fail=True)

    assert await job.cancel() == "cancelled"
    assert await queue.get_job(job.id) is None


async def test_its_deduplication_id_is_free_again(queue: Queue) -> None:
    job = await queue.add("work", deduplication={"id": "one"})

    await job.cancel()

    assert await queue.get_deduplication_job_id("one") is None
    assert (await queue.add("work", deduplication={"id": "one"})).id != job.id


async def test_a_cancelled_job_can_be_retried_by_hand(queue: Queue, start_worker: WorkerStarter) -> None:
    job = await queue.add("work")
    await job.cancel()

    await job.retry()
    await start_worker(nothing)

    assert await job.result(timeout=5) == "ran"


async def test_a_running_coroutine_is_cancelled(queue: Queue, start_worker: WorkerStarter) -> None:
    heard: list[BaseException] = []

    async def handler(job: Job) -> None:
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            heard.append(error)
            raise

    worker = await start_worker({"long": handler, "*": nothing})
    job = await queue.add("long", attempts=5)
    await eventually(job.is_active)
    started = time.perf_counter()

    assert await queue.cancel(job.id) is Cancellation.CANCELLING
    await eventually(job.is_failed)

    assert time.perf_counter() - started < 1
    await job.refresh()
    assert (job.failed_reason, job.attempts_made) == ("cancelled", 1)
    assert [type(error) for error in heard] == [asyncio.CancelledError]
    assert worker.is_running
    assert await (await queue.add("next")).result(timeout=5) == "ran"


@pytest.mark.parametrize("end", [lambda: "done after all", lambda: 1 / 0])
async def test_what_a_cancelled_handler_comes_to_is_not_asked_for(
    queue: Queue, start_worker: WorkerStarter, end: Callable[[], object]
) -> None:
    async def handler(job: Job) -> object:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return end()
        return "never"

    await start_worker(handler)
    job = await queue.add("long", attempts=5)
    await eventually(job.is_active)

    await job.cancel()

    await eventually(job.is_failed)
    await job.refresh()
    assert job.failed_reason == "cancelled"


async def test_a_running_thread_is_told(queue: Queue, start_worker: WorkerStarter) -> None:
    begun, ended = threading.Event(), threading.Event()

    def handler(job: BlockingJob) -> None:
        begun.set()
        while not job.cancelled:
            time.sleep(0.002)
        ended.set()

    await start_worker(handler)
    job = await queue.add("long", attempts=5)
    await eventually(begun.is_set)

    assert await job.cancel() == "cancelling"

    await eventually(job.is_failed)
    await job.refresh()
    await eventually(ended.is_set)
    assert job.failed_reason == "cancelled"


async def test_only_the_one_that_is_cancelled_ends(queue: Queue, start_worker: WorkerStarter) -> None:
    release = asyncio.Event()

    async def handler(job: Job) -> str:
        await release.wait()
        return "done"

    await start_worker(handler, concurrency=5)
    jobs = [await queue.add("long") for _ in range(5)]
    for job in jobs:
        await eventually(job.is_active)

    await jobs[2].cancel()
    await eventually(jobs[2].is_failed)
    release.set()

    others = [job for job in jobs if job is not jobs[2]]
    assert await asyncio.gather(*(job.result(timeout=5) for job in others)) == ["done"] * 4


async def test_one_connection_hears_of_cancelled_jobs_in_all_queues_of_a_worker(
    new_queue: QueueFactory, start_worker: WorkerStarter, database: Database
) -> None:
    def listeners() -> int:
        return sum(client["name"] == "toril-summons" for client in database.clients())

    queues = [new_queue(f"tasks-{number}") for number in range(5)]
    before = listeners()
    await start_worker(for_ever, [queue.name for queue in queues], concurrency=5, lock_duration=60)
    jobs = [await queue.add("long") for queue in queues]
    for job in jobs:
        await eventually(job.is_active)

    for job in jobs:
        assert await job.cancel() is Cancellation.CANCELLING
    for job in jobs:
        await eventually(job.is_failed, timeout=5)
    assert listeners() - before == 1


async def test_renewing_locks_tells_what_nobody_heard(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toril.store.redis.waiting import RedisSummons

    async def deaf(self: object, timeout: float) -> None:
        await asyncio.sleep(timeout)

    monkeypatch.setattr(RedisSummons, "wait", deaf)
    await start_worker(for_ever, lock_duration=0.2)
    job = await queue.add("long")
    await eventually(job.is_active)

    await job.cancel()

    await eventually(job.is_failed)


async def test_a_job_taken_by_hand_runs_on_and_is_not_run_again(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    worker = new_worker(nothing)
    job = await queue.add("work", attempts=5)
    taken = await worker.get_next_job()
    assert taken is not None

    answer = await queue.cancel(job.id)
    assert answer is Cancellation.UNREACHABLE
    assert "can't be interrupted" in answer.note
    await worker.fail(taken, ValueError("no luck"))
    again = await worker.get_next_job()
    assert again is not None
    await worker.process(again)

    await job.refresh()
    assert (await job.state(), job.failed_reason) == ("failed", "cancelled")


async def test_a_job_that_completes_all_the_same_has_completed_and_can_run_again(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    worker = new_worker(nothing)
    job = await queue.add("work")
    taken = await worker.get_next_job()
    assert taken is not None
    await job.cancel()

    await worker.complete(taken, "first")
    assert await job.state() == "completed"
    await job.retry("completed")
    again = await worker.get_next_job()
    assert again is not None
    await worker.process(again)

    await job.refresh()
    assert (await job.state(), job.return_value) == ("completed", "ran")


async def test_a_job_that_is_done_stays_as_it_is(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(nothing)
    job = await queue.add("work")
    await job.result(timeout=5)

    assert await job.cancel() is Cancellation.FINISHED
    assert await job.state() == "completed"


async def test_there_must_be_such_a_job(queue: Queue) -> None:
    with pytest.raises(JobNotFound):
        await queue.cancel("nobody")
    with pytest.raises(OptionError, match="children"):
        await queue.cancel("1", **cast("Any", {"children": "yes"}))


async def test_the_next_job_of_a_scheduler_is_not_cancelled(queue: Queue) -> None:
    job = await queue.upsert_job_scheduler("often", pattern="0 0 1 1 *")
    assert job is not None

    with pytest.raises(JobOwnedByScheduler):
        await job.cancel()
    assert await job.is_delayed()


async def test_blocking_code_can_cancel(url: str, prefix: str, queue: Queue) -> None:
    job = await queue.add("work", delay=60)
    other = await queue.add("work", delay=60)

    def cancel() -> list[Cancellation]:
        with toril.sync.Queue(queue.name, url=url, prefix=prefix) as blocking:
            found = blocking.get_job(other.id)
            assert found is not None
            return [blocking.cancel(job.id), found.cancel()]

    assert await asyncio.to_thread(cancel) == ["cancelled", "cancelled"]
    assert await job.is_failed()
    assert await other.is_failed()


async def test_a_job_that_was_cancelled_while_its_worker_died_is_not_run_by_the_next(
    queue: Queue, new_worker: WorkerFactory, start_worker: WorkerStarter
) -> None:
    lost = new_worker(None, lock_duration=0.05)
    job = await queue.add("work")
    assert await lost.get_next_job() is not None
    await job.cancel()

    await start_worker(nothing, stalled_interval=0.1)

    await eventually(job.is_failed)
    await job.refresh()
    assert job.failed_reason == "cancelled"


async def test_a_worker_that_closes_before_a_stubborn_handler_is_given_up(
    queue: Queue,
    start_worker: WorkerStarter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The handler goes on behind both, and nobody stumbles over it."""
    monkeypatch.setattr("toril.core.worker.worker.LAST_WORDS", 0.05)
    started, stop = asyncio.Event(), asyncio.Event()

    told = asyncio.Event()

    async def stubborn(job: Job) -> None:
        started.set()
        while not stop.is_set():
            try:
                await stop.wait()
            except asyncio.CancelledError:
                told.set()

    worker = await start_worker(stubborn, cancel_grace=0.5)
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    job = await queue.add("work")
    await started.wait()
    assert await queue.cancel(job.id) is Cancellation.CANCELLING
    await told.wait()

    await worker.close(force=True)
    await eventually(lambda: "a handler goes on though it was told to end" in caplog.text)
    stop.set()

    assert faults == []
    assert await job.state() == "waiting"
