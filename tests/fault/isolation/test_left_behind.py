"""What a handler has left running in its child is no part of the jobs that come after it."""

from __future__ import annotations

import pytest

from tests.fault.isolation import handlers
from tests.fault.isolation.conftest import PATIENCE, is_gone
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import JobFailed, Queue


async def test_a_thread_that_outlives_its_job_can_not_reach_the_next_one(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    routes = {"leaves": handlers.leaves_a_thread, "lets go": handlers.lets_it_go}
    await start_worker(routes, isolation="process", concurrency=1)
    first, second = await queue.add("leaves", "first"), await queue.add("lets go", "second")

    refused = await second.result(timeout=PATIENCE)

    await first.refresh()
    await second.refresh()
    assert (first.data, second.data) == ("first", "second")
    assert len(refused) == 1
    assert "has ended" in refused[0]


async def test_a_program_that_a_handler_started_ends_when_the_child_dies(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(handlers.starts_a_program, isolation="process")
    job = await queue.add("work", "dies")

    with pytest.raises(JobFailed, match="exit code 3"):
        await job.result(timeout=PATIENCE)

    sleeper = int((await job.logs()).rows[0].removeprefix("started "))
    await eventually(lambda: is_gone(sleeper), PATIENCE)
