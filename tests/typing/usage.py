"""Code as users write it; pyright says whether its types are what they should be. It is not run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, assert_type

from toril import (
    AddNext,
    AddOptions,
    Backoff,
    Batch,
    BlockingJob,
    CancelToken,
    Dedup,
    Depends,
    DuplicateJob,
    Event,
    Job,
    JobDraft,
    JobError,
    JobFailed,
    JobLogger,
    JobSpec,
    Keep,
    Logs,
    OptionError,
    ParentRef,
    Queue,
    QueueEvents,
    RateLimiter,
    Retry,
    RunMiddleware,
    RunNext,
    Steer,
    StoreUnavailable,
    TorilError,
    Worker,
    from_bullmq,
    open_store,
)
from toril.store.contract import Store
from toril.sync import Job as PlainJob
from toril.sync import Queue as PlainQueue
from toril.sync import QueueEvents as PlainQueueEvents


@dataclass
class Picture:
    path: str


async def add_jobs(queue: Queue) -> None:
    job = await queue.add("thumbnail", {"path": "cat.jpg"})
    assert_type(job, Job)
    assert_type(await queue.add("thumbnail"), Job)
    assert_type(await queue.add("thumbnail", Picture("cat.jpg"), attempts=3, delay=0.5), Job)
    await queue.add(
        "thumbnail",
        None,
        backoff=Backoff.exponential(1, jitter=0.2),
        priority=5,
        job_id="cat",
        on_duplicate="replace",
        remove_on_complete=Keep(age=timedelta(days=1)),
        remove_on_fail=100,
        deduplication=Dedup.throttle("cat", 60),
    )
    await queue.add("late", at=datetime(2030, 1, 1, tzinfo=UTC), lifo=True, size_limit=1000)
    await queue.add("child", parent=job, on_failure="fail_parent")
    await queue.add("child", parent=ParentRef("1", "bull:images"), backoff=timedelta(seconds=3))
    await queue.add(
        "child", parent={"id": "1", "queue": "bull:images"}, backoff={"type": "fixed", "delay": 5}
    )
    options: AddOptions = {"attempts": 3, "keep_logs": 10}
    await queue.add("thumbnail", **options)
    await queue.add("thumbnail", **from_bullmq({"jobId": "cat", "removeOnComplete": True}))


async def stamped(drafts: Sequence[JobDraft], call_next: AddNext) -> Sequence[Job | JobError]:
    for draft in drafts:
        assert_type(draft.queue, str)
        draft.name, draft.data, draft.options = "a", {"b": 1}, {"attempts": 3}
    return await call_next(drafts)


async def timed(job: Job, call_next: RunNext) -> int:
    return await call_next(job)


async def loosely_timed(job: Job, call_next: Callable[[Job], Awaitable[Any]]) -> Any:
    return await call_next(job)


async def make_picture() -> AsyncGenerator[Picture]:
    yield Picture("cat.jpg")


async def paint(
    job: Job, cat: Annotated[Picture, Depends(make_picture, scope="job")], log: JobLogger, cancel: CancelToken
) -> None:
    log.info(cat.path)
    assert_type(cancel.cancelled, bool)


async def begin(worker: Worker) -> None:
    assert_type(worker.queue_name, str)


def wrap_jobs() -> None:
    around: RunMiddleware = timed
    Queue("images", middleware=[stamped])
    worker = Worker("images", paint, middleware=[around, timed, loosely_timed], on_start=begin, on_stop=print)
    worker.override(make_picture, lambda: Picture("dog.jpg"))


async def add_many_jobs(queue: Queue) -> None:
    answers = await queue.add_many([("a", 1), ("b", 2, {"delay": 5}), JobSpec("c", options={"priority": 1})])
    assert_type(answers, list[Job | JobError])
    for answer in answers:
        if isinstance(answer, DuplicateJob):
            assert_type(answer.job_id, str)
        elif not isinstance(answer, JobError):
            assert_type(answer.created, bool)


async def look_at_a_job(job: Job) -> None:
    assert_type(job.id, str)
    assert_type(job.name, str)
    assert_type(job.queue_name, str)
    assert_type(job.prefix, str)
    assert_type(job.opts, dict[str, Any])
    assert_type(job.delay, float)
    assert_type(job.priority, int)
    assert_type(job.attempts_made, int)
    assert_type(job.attempts_started, int)
    assert_type(job.stalled_counter, int)
    assert_type(job.created_at, datetime)
    assert_type(job.processed_at, datetime | None)
    assert_type(job.finished_at, datetime | None)
    assert_type(job.failed_reason, str | None)
    assert_type(job.stacktrace, list[str])
    assert_type(job.parent_key, str | None)
    assert_type(job.deduplication_id, str | None)
    assert_type(job.processed_by, str | None)
    assert_type(job.token, str)
    assert_type(job.to_dict(), dict[str, Any])


async def use_a_job(job: Job) -> None:
    await job.update_progress({"done": 1})
    await job.update_data([1, 2])
    assert_type(await job.log("row"), int)
    assert_type(await job.logs(0, 10, ascending=False), Logs)
    assert_type(await job.extend_lock(timedelta(seconds=30)), bool)
    assert_type(await job.state(), str)
    assert_type(await job.is_completed(), bool)
    assert_type(await job.move_to_wait(), float)
    assert_type(await job.move_to_waiting_children(), bool)
    assert_type(await job.children_values(), dict[str, Any])
    await job.promote()
    await job.change_delay(5)
    await job.change_priority(3, lifo=True)
    await job.retry("completed", reset_attempts_made=True)
    await job.remove(remove_children=False)
    try:
        await job.result(timeout=timedelta(seconds=5))
    except JobFailed as failure:
        assert_type(failure.reason, str)
        assert_type(failure.stacktrace, list[str])


async def read_a_queue(queue: Queue) -> None:
    assert_type(await queue.get_job("1"), Job | None)
    assert_type(await queue.get_job_counts("waiting"), dict[str, int])
    assert_type(await queue.get_waiting(0, 10), list[Job])
    assert_type(await queue.get_jobs(["waiting", "active"], ascending=True), list[Job])
    assert_type(await queue.get_counts_per_priority([0, 1]), dict[int, int])
    assert_type(await queue.count(), int)
    assert_type(await queue.is_paused(), bool)
    assert_type(await queue.remove("1"), bool)
    assert_type(await queue.retry_jobs(count=10, before=datetime.now(UTC)), int)
    assert_type(await queue.promote_jobs(), int)
    assert_type(await queue.get_job_logs("1"), Logs)
    assert_type(await queue.get_version(), str | None)
    async with queue as opened:
        assert_type(opened, Queue)


async def handle(job: Job) -> dict[str, int]:
    if job.attempts_made:
        raise Retry("busy", delay=5)
    return {"size": 1}


def handle_in_a_thread(job: BlockingJob) -> int:
    job.update_progress(50)
    assert_type(job.log("row"), int)
    return 1


async def handle_picture(picture: Picture) -> str:
    return picture.path


async def handle_both(job: Job, picture: Picture) -> str:
    return job.name + picture.path


def handle_both_the_other_way(picture: Picture, job: BlockingJob) -> None:
    job.update_progress(picture.path)


def slower(attempts: int, kind: str, error: BaseException, job: object) -> float | None:
    return attempts * 2.0


async def work() -> None:
    worker = Worker(
        "images",
        handle,
        concurrency=50,
        lock_duration=timedelta(seconds=30),
        limiter=RateLimiter(max=100, per=60),
        remove_on_complete=True,
        backoff_strategies={"slower": slower},
    )
    Worker("images", handle_in_a_thread, name="w1", prefix="shop", url="embedded:")
    Worker("images", {"a": handle, "b": handle_in_a_thread, "*": handle_picture})
    Worker("images", HANDLERS_BY_NAME, concurrency=2)
    for handler in (handle_picture, handle_both, handle_both_the_other_way):
        Worker("images", handler)
    Worker("images", lambda job: None)
    assert_type(worker.concurrency, int)
    worker.concurrency = 5
    worker.on("failed", on_failed)
    worker.on("completed", on_completed)
    await worker.pause()
    await worker.resume()
    assert_type(worker.is_running, bool)
    assert_type(worker.health, str)
    assert_type(await worker.run(), None)
    assert_type(await worker.close(timeout=5), None)


def on_failed(job: Job | None, error: BaseException, previous: str) -> None:
    """A plain listener."""


async def on_completed(job: Job, result: object) -> None:
    """An async one."""


async def work_by_hand(worker: Worker) -> None:
    job = await worker.get_next_job(block=False)
    assert_type(job, Job | None)
    if job is None:
        return
    batch = await worker.complete(job, {"done": True}, fetch_next=True)
    assert_type(batch, Batch)
    assert_type(batch.jobs, list[Job])
    assert_type(batch.limited_ms, int)
    assert_type(await worker.fail(job, ValueError()), Batch)
    assert_type(await worker.process(job), Batch)
    assert_type(await worker.check_stalled(), list[str])
    assert_type(await worker.extend_locks([job.id], [job.token], 30), list[str])


def without_a_loop(queue: PlainQueue) -> None:
    job = queue.add("thumbnail", {"path": "cat.jpg"}, delay=timedelta(minutes=1))
    assert_type(job, PlainJob)
    assert_type(queue.add_many([("a", 1)]), list[PlainJob | JobError])
    assert_type(queue.get_job("1"), PlainJob | None)
    assert_type(queue.count(), int)
    assert_type(job.state(), str)
    with queue as opened:
        assert_type(opened, PlainQueue)


async def with_a_store_of_ones_own() -> None:
    store = open_store("redis://localhost", now_ms=lambda: 0)
    assert_type(store, Store)
    await Queue("images", store=store).ready()
    Worker("images", handle, store=store)


async def errors_have_their_families(queue: Queue) -> None:
    try:
        await queue.add("work", attempts=3)
    except OptionError as error:
        assert_type(error.option, str)
    except StoreUnavailable as error:
        of_toril: TorilError = error
        of_python: ConnectionError = error
        raise of_toril from of_python
    except Steer:
        raise


HANDLERS_BY_NAME: dict[str, Callable[[Job], Awaitable[object]]] = {"a": handle}
HANDLERS: list[Callable[[Job], Awaitable[object]]] = [handle]


async def read_events(queue: Queue) -> None:
    assert_type(await queue.publish_event("shipped", {"order": 17}, jobId="7", max_events=1000), str)
    async with QueueEvents("orders", reader="billing", last_event_id="0") as events:
        events.on("completed", lambda event: print(event.return_value))
        events.on("error", print)
        async for event in events:
            assert_type(event, Event)
            assert_type(event.job_id, str | None)
            assert_type(event.due, datetime | None)
            assert_type(event.fields, dict[str, str])
            await events.commit()


def read_events_without_a_loop() -> None:
    with PlainQueueEvents("orders") as events:
        for event in events:
            assert_type(event, Event)
