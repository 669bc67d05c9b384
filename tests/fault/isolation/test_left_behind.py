"""What a handler has left running in its child is no part of the jobs that come after it."""

from __future__ import annotations

from tests.fault.isolation import handlers
from tests.fault.isolation.conftest import PATIENCE
from tests.support.factories import WorkerStarter
from toril import Queue


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
