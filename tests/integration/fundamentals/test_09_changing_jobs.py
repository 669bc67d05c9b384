"""What can be done with jobs that are there already."""

from __future__ import annotations

import pytest

from tests.support.clock import Clock
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, JobFailed, JobLocked, JobNotFound, JobNotInState, OptionError, Queue
from toril.store.contract import Store


async def nothing(job: Job) -> None:
    """All done."""


async def break_down(job: Job) -> None:
    raise ValueError("broken")


async def fail_jobs(queue: Queue, start_worker: WorkerStarter, count: int) -> list[Job]:
    """So many jobs that have failed for good."""
    worker = await start_worker(break_down)
    jobs = [await queue.add("work") for _ in range(count)]
    for job in jobs:
        with pytest.raises(JobFailed):
            await job.result(timeout=5)
    await worker.close()
    return jobs


async def test_a_delayed_job_can_be_promoted(queue: Queue) -> None:
    job = await queue.add("work", delay=60)
    await job.promote()

    assert (await job.state(), job.delay) == ("waiting", 0)


async def test_only_a_delayed_job_can_be_promoted(queue: Queue) -> None:
    job = await queue.add("work")

    with pytest.raises(JobNotInState):
        await job.promote()


async def test_all_delayed_jobs_can_be_promoted(queue: Queue) -> None:
    await queue.add_many([("work", None, {"delay": 60 + n}) for n in range(5)])

    assert await queue.promote_jobs(count=2) == 5
    assert await queue.get_job_counts("waiting", "delayed") == {"waiting": 5, "delayed": 0}


async def test_a_delay_can_be_changed(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store, clock: Clock
) -> None:
    job = await new_queue(store=store).add("work", delay=60)
    clock.forward(10)
    await job.change_delay(5)
    clock.forward(4.999)
    assert await new_worker(store=store).get_next_job(block=False) is None
    clock.forward(0.001)

    assert await new_worker(store=store).get_next_job(block=False) is not None


async def test_a_priority_can_be_changed(queue: Queue, new_worker: WorkerFactory) -> None:
    first, second = await queue.add("first", priority=5), await queue.add("second", priority=5)
    await second.change_priority(1)
    await first.change_priority(3)
    worker = new_worker()

    assert [job.name for _ in range(2) if (job := await worker.get_next_job())] == ["second", "first"]


async def test_a_job_can_go_to_the_front_of_its_equals(queue: Queue, new_worker: WorkerFactory) -> None:
    await queue.add("first", priority=5)
    last = await queue.add("last", priority=5)
    await last.change_priority(5, lifo=True)
    next_job = await new_worker().get_next_job()

    assert next_job is not None
    assert next_job.name == "last"


async def test_a_payload_can_be_replaced(queue: Queue) -> None:
    job = await queue.add("work", {"version": 1})
    await job.update_data({"version": 2})
    stored = await queue.get_job(job.id)

    assert stored is not None
    assert stored.data == job.data == {"version": 2}


async def test_a_job_can_be_removed(queue: Queue) -> None:
    job = await queue.add("work")
    await job.remove()

    assert await queue.get_job(job.id) is None
    assert await queue.count() == 0


async def test_a_running_job_can_not(queue: Queue, new_worker: WorkerFactory) -> None:
    job = await queue.add("work")
    assert await new_worker().get_next_job()

    with pytest.raises(JobLocked):
        await job.remove()
    assert await queue.remove(job.id) is False
    assert await job.state() == "active"


async def test_a_failed_job_can_run_again(queue: Queue, start_worker: WorkerStarter) -> None:
    job = (await fail_jobs(queue, start_worker, 1))[0]
    await job.refresh()
    await job.retry()
    assert await job.state() == "waiting"
    await start_worker(nothing)

    assert await job.result(timeout=5) is None
    await job.refresh()
    assert (job.attempts_made, job.attempts_started, job.failed_reason) == (2, 2, None)


async def test_it_may_have_all_its_attempts_again(queue: Queue, start_worker: WorkerStarter) -> None:
    job = (await fail_jobs(queue, start_worker, 1))[0]
    await job.retry(reset_attempts_made=True, reset_attempts_started=True)
    await job.refresh()

    assert (job.attempts_made, job.attempts_started) == (0, 0)


async def test_a_completed_job_can_run_again(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(nothing)
    job = await queue.add("work")
    await job.result(timeout=5)
    await worker.close()
    await job.retry("completed")

    assert await job.state() == "waiting"


async def test_a_job_runs_again_only_from_the_state_it_is_in(queue: Queue) -> None:
    job = await queue.add("work")

    with pytest.raises(JobNotInState):
        await job.retry()
    with pytest.raises(OptionError):
        await job.retry("waiting")


async def test_all_failed_jobs_can_run_again(queue: Queue, start_worker: WorkerStarter) -> None:
    await fail_jobs(queue, start_worker, 3)

    assert await queue.retry_jobs(count=2) == 3
    assert await queue.get_job_counts("failed", "waiting") == {"failed": 0, "waiting": 3}


async def test_a_job_that_is_gone_can_not_be_changed(queue: Queue) -> None:
    job = await queue.add("work", delay=60)
    await job.remove()

    for change in (
        job.update_data(1),
        job.change_delay(1),
        job.change_priority(1),
        job.retry(),
        job.refresh(),
    ):
        with pytest.raises(JobNotFound):
            await change
