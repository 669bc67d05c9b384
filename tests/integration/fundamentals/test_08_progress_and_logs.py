"""What a running job tells about itself."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.factories import WorkerStarter
from toril import Job, JobNotFound, OptionError, Queue


async def test_a_job_reports_its_progress(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> None:
        await job.update_progress({"done": 3, "of": 4})

    await start_worker(handler)
    job = await queue.add("work")
    await job.result(timeout=5)
    await job.refresh()

    assert job.progress == {"done": 3, "of": 4}


async def test_the_worker_hears_of_it(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> None:
        for percent in (25, 50, 100):
            await job.update_progress(percent)

    def listener(job: Job, progress: object) -> None:
        heard.append((job.id, progress))

    worker = await start_worker(handler)
    heard: list[tuple[str, object]] = []
    worker.on("progress", listener)
    await (await queue.add("work")).result(timeout=5)

    assert heard == [("1", 25), ("1", 50), ("1", 100)]


async def test_progress_may_be_reported_from_outside(queue: Queue) -> None:
    job = await queue.add("work")
    assert job.progress == 0
    await queue.update_job_progress(job.id, 70)
    await job.refresh()

    assert job.progress == 70


async def test_a_job_has_a_log(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> list[int]:
        return [await job.log(f"row {number}") for number in range(3)]

    await start_worker(handler)
    job = await queue.add("work")

    assert await job.result(timeout=5) == [1, 2, 3]
    logs = await job.logs()
    assert (logs.rows, logs.count) == (["row 0", "row 1", "row 2"], 3)


async def test_a_log_is_read_in_pages_from_either_end(queue: Queue) -> None:
    job = await queue.add("work")
    for number in range(5):
        await queue.add_job_log(job.id, str(number))

    assert (await queue.get_job_logs(job.id, 1, 2)).rows == ["1", "2"]
    assert (await queue.get_job_logs(job.id, 0, 1, ascending=False)).rows == ["4", "3"]
    assert (await queue.get_job_logs(job.id, 0, 1)).count == 5


async def test_only_the_latest_rows_are_kept_if_told(queue: Queue) -> None:
    job = await queue.add("work", keep_logs=2)

    assert [await job.log(str(number)) for number in range(4)] == [1, 2, 2, 2]
    assert (await job.logs()).rows == ["2", "3"]


async def test_a_log_can_be_cleared(queue: Queue) -> None:
    job = await queue.add("work")
    for number in range(4):
        await job.log(str(number))

    await job.clear_logs(keep=1)
    assert (await job.logs()).rows == ["3"]
    await job.clear_logs()
    assert (await job.logs()).count == 0


async def test_nothing_is_reported_on_a_job_that_is_gone(queue: Queue) -> None:
    job = await queue.add("work")
    await job.remove()

    with pytest.raises(JobNotFound):
        await job.update_progress(1)
    with pytest.raises(JobNotFound):
        await job.log("row")


async def test_one_report_that_is_refused_does_not_harm_others(queue: Queue) -> None:
    job, gone = await queue.add("work"), await queue.add("work")
    await gone.remove()

    answers = await asyncio.gather(job.log("a"), gone.log("b"), job.log("c"), return_exceptions=True)

    assert [type(answer) for answer in answers] == [int, JobNotFound, int]
    assert (await job.logs()).rows == ["a", "c"]


async def test_progress_must_have_a_json_form(queue: Queue) -> None:
    job = await queue.add("work")

    with pytest.raises(OptionError):
        await job.update_progress(float("nan"))
    await job.refresh()
    assert job.progress == 0
