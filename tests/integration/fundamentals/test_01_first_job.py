"""Add a job, run it, see what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from toril import Job, JobFailed, JobRemoved, Queue, ResultTimeout


@dataclass
class Person:
    name: str
    born: int


async def double(job: Job) -> int:
    return job.data["number"] * 2


async def break_down(job: Job) -> None:
    raise ValueError("no such thing")


async def test_a_job_is_added_to_a_queue(queue: Queue) -> None:
    job = await queue.add("greet", {"name": "Ada"})

    assert (job.id, job.name, job.data, job.created) == ("1", "greet", {"name": "Ada"}, True)
    assert await job.state() == "waiting"


async def test_a_worker_runs_it(queue: Queue, start_worker: WorkerStarter) -> None:
    seen: asyncio.Future[tuple[str, object]] = asyncio.get_running_loop().create_future()

    async def handler(job: Job) -> None:
        seen.set_result((job.name, job.data))

    await queue.add("greet", {"name": "Ada"})
    await start_worker(handler)

    assert await seen == ("greet", {"name": "Ada"})


async def test_what_the_handler_returns_is_the_result(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(double)
    job = await queue.add("double", {"number": 21})

    assert await job.result(timeout=5) == 42
    assert await job.state() == "completed"


async def test_a_result_may_be_awaited_before_there_is_a_worker(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    job = await queue.add("double", {"number": 21})
    waiting = asyncio.create_task(job.result(timeout=5))
    await start_worker(double)

    assert await waiting == 42


async def test_the_result_of_a_finished_job_is_there_at_once(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(double)
    job = await queue.add("double", {"number": 4})
    await job.result(timeout=5)
    await worker.close()

    again = await queue.get_job(job.id)

    assert again is not None
    assert await again.result(timeout=5) == 8


async def test_many_may_wait_for_one_result(queue: Queue, start_worker: WorkerStarter) -> None:
    job = await queue.add("double", {"number": 1})
    waiting = [asyncio.create_task(job.result(timeout=5)) for _ in range(20)]
    await start_worker(double)

    assert await asyncio.gather(*waiting) == [2] * 20


async def test_what_the_handler_raises_fails_the_job(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(break_down)
    job = await queue.add("work")

    with pytest.raises(JobFailed, match="no such thing") as caught:
        await job.result(timeout=5)
    assert (caught.value.job_id, caught.value.queue, caught.value.reason) == ("1", "tasks", "no such thing")
    assert await job.state() == "failed"


async def test_waiting_for_a_result_may_have_an_end(queue: Queue) -> None:
    job = await queue.add("work")

    with pytest.raises(ResultTimeout):
        await job.result(timeout=0.02)
    assert await job.state() == "waiting"


async def test_the_result_of_a_removed_job_can_not_be_known(queue: Queue) -> None:
    job = await queue.add("work")
    waiting = asyncio.create_task(job.result(timeout=5))
    await job.remove()

    with pytest.raises(JobRemoved):
        await waiting


async def test_a_finished_job_tells_its_story(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(double, name="w1")
    added = await queue.add("double", {"number": 3}, priority=2)
    await added.result(timeout=5)

    job = await queue.get_job(added.id)

    assert job is not None
    assert job.processed_at is not None
    assert job.finished_at is not None
    assert job.created_at <= job.processed_at <= job.finished_at
    assert (job.attempts_made, job.attempts_started, job.processed_by) == (1, 1, "w1")
    assert (job.return_value, job.failed_reason, job.opts["priority"]) == (6, None, 2)


async def test_a_payload_may_be_left_out_or_be_nothing(queue: Queue) -> None:
    assert (await queue.add("work")).data == {}
    assert (await queue.add("work", None)).data is None


async def test_a_payload_may_be_a_dataclass(queue: Queue) -> None:
    job = await queue.add("greet", Person("Ada", 1815))

    assert job.data == {"name": "Ada", "born": 1815}


async def test_queues_do_not_mix(new_queue: QueueFactory, start_worker: WorkerStarter) -> None:
    mail, film = new_queue("mail"), new_queue("film")
    letter, reel = await mail.add("work", {"number": 1}), await film.add("work", {"number": 2})
    await start_worker(double, "film")

    assert await reel.result(timeout=5) == 4
    assert await letter.state() == "waiting"


async def test_a_queue_can_be_used_as_a_context_manager(new_queue: QueueFactory) -> None:
    async with new_queue() as queue:
        await queue.add("work")
        assert await queue.count() == 1


async def test_there_is_no_job_of_an_unknown_id(queue: Queue) -> None:
    assert await queue.get_job("77") is None
    assert await queue.get_job_state("77") == "unknown"


async def test_jobs_are_counted_by_their_state(queue: Queue, start_worker: WorkerStarter) -> None:
    await queue.add_many([("work", {"number": n}) for n in range(3)])
    await queue.add("work", {"number": 1}, delay=60)
    await queue.add("work", {"number": 1}, priority=1)
    assert await queue.get_job_counts("waiting", "delayed", "prioritized") == {
        "waiting": 3,
        "delayed": 1,
        "prioritized": 1,
    }

    await start_worker(double)
    await eventually(lambda: _completed(queue, 4))
    assert await queue.count() == 1


async def _completed(queue: Queue, number: int) -> bool:
    return await queue.get_completed_count() == number


async def test_a_queue_shows_its_jobs_page_by_page(queue: Queue) -> None:
    await queue.add_many([("work", {"number": n}) for n in range(5)])

    assert [job.id for job in await queue.get_waiting(0, 1)] == ["1", "2"]
    assert [job.id for job in await queue.get_waiting(2, -1)] == ["3", "4", "5"]
    assert [job.id for job in await queue.get_jobs("waiting", 0, 1)] == ["5", "4"]
