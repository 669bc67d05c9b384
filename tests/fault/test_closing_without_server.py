"""A worker that is closed while its server is gone leaves soon, or after its patience if it holds jobs."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.server import OwnServer
from toril import Job, StoreUnavailable, Worker

# Seconds in which a worker leaves that need not wait until its server has been silent for 10 s.
SOON = 5
# That silence in a test where it is waited for, and is not to be twice.
SILENCE = 2


async def nothing(job: Job) -> None:
    """There is nothing to do."""


async def started(
    start_worker: WorkerStarter, server: OwnServer, errors: list[BaseException], count: int
) -> Worker:
    """A worker that has looked into its queues, and found nothing."""
    worker = await start_worker(nothing, [f"tasks{number}" for number in range(count)], url=server.url)
    worker.on("error", errors.append)
    await eventually(lambda: worker.is_idle)
    return worker


@pytest.mark.parametrize("count", [1, 3])
async def test_one_without_jobs_whose_server_was_killed(
    server: OwnServer, start_worker: WorkerStarter, count: int
) -> None:
    errors: list[BaseException] = []
    worker = await started(start_worker, server, errors, count)
    server.kill()
    # It has tried to take jobs.
    await eventually(lambda: worker.health != "healthy" and not worker.is_idle)

    async with asyncio.timeout(SOON):
        await worker.close()
    assert "could not be settled" not in str(errors)


async def test_one_of_several_queues_whose_server_stands_still(
    server: OwnServer, start_worker: WorkerStarter
) -> None:
    worker = await started(start_worker, server, [], 3)
    server.freeze()

    async with asyncio.timeout(SOON):
        await worker.close()
    assert not worker.is_running
    server.thaw()


async def test_one_with_jobs_waits_once_for_the_server_to_come_back(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(job: Job) -> None:
        handling.set()
        await go_on.wait()

    monkeypatch.setattr("toril.core.worker.closing.SILENCE", SILENCE)
    handling, go_on = asyncio.Event(), asyncio.Event()
    worker = await start_worker(handler, url=server.url)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await new_queue(url=server.url).add("work")
    await handling.wait()
    server.kill()
    go_on.set()
    await eventually(lambda: worker.health != "healthy")

    async with asyncio.timeout(2 * SILENCE):
        await worker.close()
    assert "the server is silent; 1 jobs could not be settled" in str(errors[-1])
    assert {type(error) for error in errors} == {StoreUnavailable}


async def test_one_whose_jobs_do_not_finish_leaves_when_its_grace_is_over(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> None:
        handling.set()
        await asyncio.Event().wait()

    handling = asyncio.Event()
    worker = await start_worker(handler, url=server.url, concurrency=2)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await new_queue(url=server.url).add("work")
    await handling.wait()
    server.kill()
    await eventually(lambda: worker.health != "healthy")

    async with asyncio.timeout(SOON):
        await worker.close(0.3)
    assert "1 jobs could not be settled" in str(errors[-1])
