"""Processing by hand: take a job, run or finish it, look after locks, without the worker's loop."""

from __future__ import annotations

import pytest

from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory
from toril import (
    BlockingJob,
    Job,
    JobSpec,
    LockLost,
    LockMismatch,
    PendingChildren,
    Queue,
    UnknownBackoff,
    Worker,
)
from toril.store.contract import Store


@pytest.fixture
def queue(new_queue: QueueFactory, store: Store) -> Queue:
    return new_queue(store=store)


@pytest.fixture
def worker(new_worker: WorkerFactory, store: Store) -> Worker:
    return new_worker(store=store, drain_delay=0.01, stalled_interval=0.001)


async def take(worker: Worker) -> Job:
    """The next job, which is there."""
    job = await worker.get_next_job()
    assert job is not None
    return job


async def test_taking_and_completing(queue: Queue, worker: Worker) -> None:
    added = await queue.add("work", {"n": 1})
    job = await take(worker)
    assert (job.data, await job.state(), job.attempts_started) == ({"n": 1}, "active", 1)
    await worker.complete(job, {"sum": 2})

    assert await added.result(timeout=5) == {"sum": 2}


async def test_taking_and_failing(queue: Queue, worker: Worker) -> None:
    added = await queue.add("work", attempts=2)
    await worker.fail(await take(worker), ValueError("first"))
    assert await added.state() == "waiting"
    await worker.fail(await take(worker), ValueError("second"))
    await added.refresh()

    assert (await added.state(), added.failed_reason) == ("failed", "second")


async def test_there_may_be_nothing_to_take(worker: Worker) -> None:
    assert await worker.get_next_job() is None
    assert await worker.get_next_job(block=False) is None


async def test_the_next_job_can_be_taken_in_the_same_step(queue: Queue, worker: Worker) -> None:
    await queue.add("first")
    await queue.add("second")
    job = await take(worker)
    batch = await worker.complete(job, fetch_next=True)

    assert [(next_job.name, next_job.token) for next_job in batch.jobs] == [("second", job.token)]
    assert (await worker.complete(batch.jobs[0], fetch_next=True)).jobs == []


async def test_a_handler_can_be_run_by_hand(queue: Queue, new_worker: WorkerFactory, store: Store) -> None:
    async def handler(job: Job) -> str:
        return job.name.upper()

    worker = new_worker(handler, store=store)
    added = await queue.add("work")
    await worker.process(await take(worker))

    assert await added.result(timeout=5) == "WORK"


async def test_so_can_one_that_blocks(queue: Queue, new_worker: WorkerFactory, store: Store) -> None:
    def handler(job: BlockingJob) -> str:
        return job.state()

    worker = new_worker(handler, store=store)
    added = await queue.add("work")
    await worker.process(await take(worker))

    assert await added.result(timeout=5) == "active"


async def test_only_who_holds_the_lock_may_finish(queue: Queue, worker: Worker) -> None:
    added = await queue.add("work")
    job = await take(worker)

    with pytest.raises(LockMismatch):
        await worker.complete(job, token="someone else")
    assert await added.state() == "active"


async def test_a_lock_that_ran_out_is_lost(
    queue: Queue, worker: Worker, database: Database, prefix: str
) -> None:
    await queue.add("work")
    job = await take(worker)
    assert await job.extend_lock(60)
    database.command("DEL", f"{prefix}:tasks:{job.id}:lock")

    assert not await job.extend_lock(60)
    with pytest.raises(LockLost):
        await worker.complete(job)


async def test_many_locks_are_extended_at_once(
    queue: Queue, worker: Worker, database: Database, prefix: str
) -> None:
    for _ in range(3):
        await queue.add("work")
    jobs = [await take(worker) for _ in range(3)]
    database.command("DEL", f"{prefix}:tasks:2:lock")

    lost = await worker.extend_locks([job.id for job in jobs], [job.token for job in jobs], 120)

    assert lost == ["2"]
    assert database.command("PTTL", f"{prefix}:tasks:1:lock") > 100_000


async def test_jobs_without_a_worker_are_found(
    queue: Queue, worker: Worker, database: Database, prefix: str
) -> None:
    stalled: list[str] = []
    worker.on("stalled", stalled.append)
    added = await queue.add("work")
    await take(worker)
    database.command("DEL", f"{prefix}:tasks:1:lock")

    found = [await look(worker, database, prefix) for _ in range(2)]

    assert (found, stalled) == ([[], ["1"]], ["1"])
    assert await added.state() == "waiting"


async def look(worker: Worker, database: Database, prefix: str) -> list[str]:
    """Look for stalled jobs though somebody may have looked a moment ago."""
    database.command("DEL", f"{prefix}:tasks:stalled-check")
    return await worker.check_stalled()


async def test_a_job_that_stalls_too_often_fails(
    queue: Queue, new_worker: WorkerFactory, store: Store, database: Database, prefix: str
) -> None:
    async def handler(job: Job) -> None:
        raise AssertionError("it is not run any more")

    worker = new_worker(handler, store=store)
    added = await queue.add("work", attempts=5)
    for _ in range(2):
        await take(worker)
        database.command("DEL", f"{prefix}:tasks:1:lock")
        assert [await look(worker, database, prefix) for _ in range(2)] == [[], ["1"]]
    await worker.process(await take(worker))
    await added.refresh()

    assert (await added.state(), added.failed_reason) == ("failed", "job stalled more than allowable limit")
    assert added.stalled_counter == 2


async def test_a_job_that_was_started_too_often_fails(
    queue: Queue, new_worker: WorkerFactory, store: Store
) -> None:
    async def handler(job: Job) -> None:
        raise AssertionError("it is not run any more")

    worker = new_worker(handler, store=store, max_started_attempts=1)
    added = await queue.add("work")
    await (await take(worker)).move_to_wait()
    await worker.process(await take(worker))
    await added.refresh()

    assert (await added.state(), added.failed_reason) == ("failed", "job started more than allowable limit")


async def test_a_job_with_pending_children_can_not_be_completed(queue: Queue, worker: Worker) -> None:
    added = await queue.add("work")
    job = await take(worker)
    await queue.add("child", parent=added)

    with pytest.raises(PendingChildren):
        await worker.complete(job)
    assert await added.state() == "active"


async def test_a_success_that_children_forbid_fails_with_the_words_of_bullmq(
    queue: Queue, new_worker: WorkerFactory, store: Store
) -> None:
    async def handler(job: Job) -> None:
        child = await queue.add("child", parent=job, on_failure="fail_parent")
        if job.name == "fails":
            await worker.fail(await take(worker), ValueError())
        assert await child.state() == ("failed" if job.name == "fails" else "waiting")

    worker = new_worker(handler, store=store)
    reasons: list[str | None] = []
    for name in ("waits", "fails"):
        added = await queue.add(name, job_id=name, lifo=True)
        await worker.process(await take(worker))
        await added.refresh()
        reasons.append(added.failed_reason)
        await queue.drain()

    assert reasons == [
        "Job waits has pending dependencies. moveToFinished",
        "Cannot complete job fails because it has at least one failed child. moveToFinished",
    ]


async def test_a_worker_heeds_the_limit_that_the_end_of_a_job_tells_of(
    queue: Queue, new_worker: WorkerFactory, store: Store
) -> None:
    async def handler(job: Job) -> None:
        await queue.set_global_rate_limit(1, 60)

    worker = new_worker(handler, store=store)
    await queue.add_many([JobSpec("a"), JobSpec("b")])
    await queue.set_global_rate_limit(5, 60)

    batch = await worker.process(await take(worker), fetch_next=True)
    await queue.remove_rate_limit_key()

    assert batch.limited_ms > 0
    assert await worker.get_next_job(block=False) is None


async def test_a_backoff_nobody_knows_leaves_the_job_where_it_is(queue: Queue, worker: Worker) -> None:
    from toril import Backoff

    added = await queue.add("work", attempts=2, backoff=Backoff.custom("mine"))

    with pytest.raises(UnknownBackoff, match="mine"):
        await worker.fail(await take(worker), ValueError())
    assert await added.state() == "active"


async def test_a_job_can_be_put_off_by_hand(queue: Queue, worker: Worker, clock: Clock) -> None:
    await queue.add("work")
    await (await take(worker)).move_to_delayed(10)
    assert await worker.get_next_job(block=False) is None
    clock.forward(10)

    assert (await take(worker)).attempts_started == 2


async def test_a_worker_without_a_handler_does_not_run(worker: Worker) -> None:
    with pytest.raises(TypeError, match="handler"):
        await worker.run()


async def test_a_limited_worker_leaves_the_word_of_a_job_to_others(
    queue: Queue, new_worker: WorkerFactory, store: Store, database: Database
) -> None:
    worker = new_worker(store=store, maximum_rate_limit_delay=60, drain_delay=0.05)
    await queue.set_global_rate_limit(1000, 1)
    await queue.add("work")
    await queue.rate_limit(600)
    assert await worker.get_next_job(block=False) is None
    marker = f"{queue.ref.base}marker"
    database.command("ZADD", marker, 0, "0")

    assert await worker.get_next_job() is None
    assert database.command("ZCARD", marker) == 1


async def test_a_waiting_worker_takes_a_job_when_the_limit_is_over(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    worker = new_worker(drain_delay=20)
    await queue.set_global_rate_limit(1000, 1)
    await queue.add("work")
    await queue.rate_limit(0.2)

    assert await eventually(worker.get_next_job, timeout=5)
