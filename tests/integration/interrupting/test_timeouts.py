"""Handlers that run longer than they may."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import BlockingJob, CancelToken, Job, JobFailed, JobTimeout, Queue

LIMIT = 0.05
#: Threads begin in time, on a busy machine too.
THREAD_LIMIT = 0.5
#: A timeout that no test waits for.
AGES = 60


async def for_ever(job: Job) -> None:
    await asyncio.Event().wait()


async def reason_of(job: Job) -> str:
    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=5)
    return caught.value.reason


async def test_a_coroutine_that_runs_too_long_is_cancelled(queue: Queue, start_worker: WorkerStarter) -> None:
    heard: list[BaseException] = []

    async def handler(job: Job) -> None:
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            heard.append(error)
            raise

    worker = await start_worker(handler, timeout=LIMIT)
    failures: list[Any] = []

    def on_failed(job: Job, error: Any, prev: str) -> None:
        failures.append(error)

    worker.on("failed", on_failed)
    job = await queue.add("slow")

    assert await reason_of(job) == "timed out after 0.05 s"
    assert [type(error) for error in heard] == [asyncio.CancelledError]
    (failure,) = failures
    assert isinstance(failure, JobTimeout)
    assert isinstance(failure, TimeoutError)
    assert (failure.job_id, failure.queue) == (job.id, queue.name)
    assert "await asyncio.Event().wait()" in job.stacktrace[0]


async def test_a_timeout_is_an_attempt_that_failed(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> int:
        if job.attempts_started < 3:
            await asyncio.Event().wait()
        return job.attempts_started

    await start_worker(handler, timeout=LIMIT)
    job = await queue.add("slow", attempts=3, backoff=0.01)

    assert await job.result(timeout=5) == 3
    await job.refresh()
    assert (job.attempts_made, len(job.stacktrace)) == (3, 2)


async def fine(job: Job) -> str:
    return "fine"


async def swallow(job: Job) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "as if nothing had been"
    return "never"


async def raise_another(job: Job) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("something else")


@pytest.mark.parametrize("handler", [swallow, raise_another])
async def test_what_a_handler_makes_of_its_timeout_changes_nothing(
    queue: Queue, start_worker: WorkerStarter, handler: Any
) -> None:
    await start_worker({"late": handler, "*": fine}, timeout=LIMIT)

    assert await reason_of(await queue.add("late")) == "timed out after 0.05 s"
    assert await (await queue.add("next")).result(timeout=5) == "fine"


async def test_a_handler_that_goes_on_loses_its_slot(
    queue: Queue, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    ended = asyncio.Event()

    async def handler(job: Job) -> str:
        while job.name == "stubborn" and not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                continue
        return "done"

    worker = await start_worker(handler, timeout=LIMIT, cancel_grace=LIMIT)
    completed: list[str] = []

    def on_completed(job: Job, result: str) -> None:
        completed.append(job.name)

    worker.on("completed", on_completed)
    with caplog.at_level(logging.WARNING, "toril"):
        stubborn, patient = await queue.add("stubborn"), await queue.add("patient")

        assert await reason_of(stubborn) == "timed out after 0.05 s"
        assert await patient.result(timeout=5) == "done"
    (warning,) = [record for record in caplog.records if "slot is given to other jobs" in record.message]
    said = vars(warning)
    assert (said["job_name"], said["job_id"], said["queue"]) == ("stubborn", stubborn.id, queue.name)
    # What it comes to in the end is nobody's concern, and its slot takes no job any more.
    ended.set()
    jobs = [await queue.add("later") for _ in range(5)]
    assert await asyncio.gather(*(job.result(timeout=5) for job in jobs)) == ["done"] * 5
    assert sorted(completed) == ["later"] * 5 + ["patient"]
    assert await stubborn.state() == "failed"


async def test_a_thread_is_told_and_may_leave(queue: Queue, start_worker: WorkerStarter) -> None:
    left = threading.Event()

    def handler(job: BlockingJob) -> None:
        try:
            while not job.cancelled.wait(0.01):
                job.check_cancelled()
            job.check_cancelled()
        finally:
            left.set()

    await start_worker(handler, timeout=THREAD_LIMIT)
    job = await queue.add("slow")

    assert await reason_of(job) == "timed out after 0.5 s"
    assert left.is_set()
    assert "job.check_cancelled()" in job.stacktrace[0]


async def test_a_token_tells_as_soon_as_the_job_does(queue: Queue, start_worker: WorkerStarter) -> None:
    heard: list[bool] = []

    def handler(job: BlockingJob, token: CancelToken) -> None:
        heard.append(token.wait(10))

    await start_worker(handler, timeout=THREAD_LIMIT, cancel_grace=5)
    job = await queue.add("slow")

    assert await reason_of(job) == "timed out after 0.5 s"
    assert heard == [True]


async def test_a_thread_that_does_not_listen_loses_its_slot(
    queue: Queue, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    def handler(job: BlockingJob) -> str:
        if job.name == "deaf":
            ended.wait(10)
        return "done"

    await start_worker(handler, timeout={"deaf": THREAD_LIMIT}, cancel_grace=LIMIT)
    with caplog.at_level(logging.WARNING, "toril"):
        deaf, other = await queue.add("deaf"), await queue.add("other")
        assert await reason_of(deaf) == "timed out after 0.5 s"
        assert await other.result(timeout=5) == "done"
    ended.set()
    warnings = [record for record in caplog.records if "slot is given to other jobs" in record.message]
    assert [vars(warning)["job_name"] for warning in warnings] == ["deaf"]


async def test_a_thread_is_told_that_its_worker_closes(queue: Queue, start_worker: WorkerStarter) -> None:
    begun, left = threading.Event(), threading.Event()

    def handler(job: BlockingJob) -> None:
        begun.set()
        job.cancelled.wait(10)
        left.set()
        job.check_cancelled()

    worker = await start_worker(handler)
    job = await queue.add("slow")
    await eventually(begun.is_set)

    await worker.close(force=True)

    await job.refresh()
    assert left.is_set()
    assert (await job.state(), job.attempts_made) == ("waiting", 0)


async def test_a_job_outside_of_a_handler_is_not_told_anything(queue: Queue) -> None:
    job = BlockingJob(await queue.add("work"), lambda coroutine: asyncio.run(coroutine))

    assert not job.cancelled
    job.check_cancelled()


async def test_a_job_goes_before_its_name_and_that_before_the_worker(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(for_ever, concurrency=4, timeout={"resize": 0.04, "*": 0.03})

    jobs = [
        await queue.add("resize", timeout=0.05),
        await queue.add("resize"),
        await queue.add("other"),
        await queue.add("other", timeout=0.02),
    ]

    reasons = await asyncio.gather(*map(reason_of, jobs))
    assert reasons == [f"timed out after {seconds} s" for seconds in (0.05, 0.04, 0.03, 0.02)]


async def test_a_name_may_be_without_a_limit(queue: Queue, start_worker: WorkerStarter) -> None:
    release = asyncio.Event()

    async def handler(job: Job) -> str:
        await release.wait()
        return "done"

    await start_worker(handler, concurrency=2, timeout={"free": None, "*": LIMIT})
    free, bound = await queue.add("free"), await queue.add("bound")

    assert await reason_of(bound) == "timed out after 0.05 s"
    release.set()
    assert await free.result(timeout=5) == "done"


async def test_a_limit_that_is_not_reached_changes_nothing(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> str:
        await asyncio.sleep(0)
        return "in time"

    await start_worker(handler, timeout=AGES, soft_timeout=AGES / 2)

    assert await (await queue.add("fast")).result(timeout=5) == "in time"


async def test_processing_by_hand_keeps_the_limit_too(queue: Queue, new_worker: Any) -> None:
    worker = new_worker(for_ever, timeout=LIMIT)
    await queue.add("slow")
    job = await worker.get_next_job()
    assert job is not None

    await worker.process(job)

    assert await job.state() == "failed"


async def test_a_timeout_of_the_job_itself_is_stored_where_others_leave_it(queue: Queue) -> None:
    job = await queue.add("work", timeout=2, soft_timeout=1.5, expires_in=60, attempts=2)

    stored = await queue.get_job(job.id)
    assert stored is not None
    assert stored.opts == {
        "attempts": 2,
        "toril": {"timeout": 2000, "softTimeout": 1500, "expiresIn": 60_000},
    }


async def test_a_worker_that_closes_settles_what_ran_too_long(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(for_ever, timeout=LIMIT)
    job = await queue.add("slow")
    await eventually(job.is_active)

    await worker.close()

    assert await job.state() == "failed"
