"""One worker, jobs of several names: each name has a handler of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.support.factories import WorkerFactory, WorkerStarter
from toril import BlockingJob, Job, JobFailed, Queue, UnknownJobName


async def paint(job: Job) -> str:
    return f"painted {job.data}"


def drive(job: BlockingJob) -> list[str]:
    job.update_progress(50)
    return [threading.current_thread().name, f"drove {job.data}"]


async def other(job: Job) -> str:
    return f"nobody knows {job.name}"


async def result_of(queue: Queue, name: str, data: object = None) -> Any:
    return await (await queue.add(name, data)).result(timeout=5)


async def test_the_name_says_which_handler_runs(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker({"paint": paint, "drive": drive}, concurrency=4)

    painted, driven = await asyncio.gather(
        result_of(queue, "paint", "a house"), result_of(queue, "drive", "home")
    )

    assert painted == "painted a house"
    assert driven[0].startswith("toril-handler")
    assert driven[1] == "drove home"


async def test_plain_handlers_run_at_the_same_time(queue: Queue, start_worker: WorkerStarter) -> None:
    together = threading.Barrier(4)

    def meet(job: BlockingJob) -> str:
        together.wait(timeout=5)
        return job.name

    def meet_too(job: BlockingJob) -> str:
        return meet(job)

    await start_worker({"meet": meet, "meet too": meet_too}, concurrency=4)

    names = ["meet", "meet too"] * 2
    assert await asyncio.gather(*(result_of(queue, name) for name in names)) == names


async def test_the_star_serves_names_without_a_handler(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker({"paint": paint, "*": other})

    assert await result_of(queue, "sail") == "nobody knows sail"
    assert await result_of(queue, "*") == "nobody knows *"
    assert await result_of(queue, "paint", "it") == "painted it"


async def test_a_name_without_a_handler_fails_once_and_says_why(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker({"paint": paint, "drive": drive})
    errors: list[BaseException] = []

    def note(job: Job, error: BaseException, previous: str) -> None:
        errors.append(error)

    worker.on("failed", note)
    job = await queue.add("pain", attempts=5)
    reason = "there is no handler for jobs named 'pain'; did you mean 'paint'? known are 'drive', 'paint'"

    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=5)

    assert caught.value.reason == reason
    await job.refresh()
    assert (job.attempts_made, job.attempts_started, await job.state()) == (1, 1, "failed")
    assert job.stacktrace == [f"toril.errors.UnknownJobName: {reason}\n"]
    assert [type(error) for error in errors] == [UnknownJobName]
    # The worker goes on.
    assert await result_of(queue, "paint", "on") == "painted on"


async def test_a_mapping_works_by_hand_too(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker({"paint": paint})
    first, second = await queue.add("paint", 1), await queue.add("sail", attempts=3)

    for _ in range(2):
        job = await worker.get_next_job(block=False)
        assert job is not None
        await worker.process(job)

    assert [await first.state(), await second.state()] == ["completed", "failed"]
