"""What is called when a worker starts and when it stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from toril import Depends, Job, Queue, Worker
from toril.core.worker import closing

# What happened, in its order.
story: list[str] = []


@pytest.fixture(autouse=True)
def _from_the_beginning() -> None:
    story.clear()


class Faulty(Exception):
    """What a user's own function raises."""


async def make_pool() -> AsyncGenerator[str]:
    story.append("pool opened")
    yield "pool"
    story.append("pool closed")


async def handler(job: Job, pool: Annotated[str, Depends(make_pool)]) -> None:
    story.append(f"{job.name} runs")


def begins(worker: Worker) -> None:
    story.append(f"{worker.queue_name} begins, running: {worker.is_running}")


def ends(worker: Worker) -> None:
    story.append("ends")


async def begins_slowly(worker: Worker) -> None:
    await asyncio.sleep(0)
    begins(worker)


async def ends_slowly(worker: Worker) -> None:
    await asyncio.sleep(0)
    ends(worker)


@pytest.mark.parametrize(("on_start", "on_stop"), [(begins, ends), (begins_slowly, ends_slowly)])
async def test_hooks_are_around_everything(
    queue: Queue, new_worker: WorkerFactory, on_start: Callable[..., Any], on_stop: Callable[..., Any]
) -> None:
    await queue.add("work")
    async with new_worker(handler, on_start=on_start, on_stop=on_stop) as worker:
        worker.on("ready", lambda: story.append("ready"))
        await eventually(lambda: "work runs" in story)
        await worker.close()
        await worker.close()

    assert story == [
        *("tasks begins, running: False", "pool opened", "work runs"),
        *("pool closed", "ends"),
    ]


async def test_a_start_that_fails_raises_what_the_user_raised(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    async def fails(worker: Worker) -> None:
        raise Faulty("no license")

    job = await queue.add("work")
    worker = new_worker(handler, on_start=fails, on_stop=ends)
    with pytest.raises(Faulty, match="no license"):
        await worker.run()

    assert story == ["ends"]
    assert await job.state() == "waiting"
    await worker.close()
    assert story == ["ends"]


async def test_who_starts_again_begins_anew(queue: Queue, new_worker: WorkerFactory) -> None:
    async def fails_once(worker: Worker) -> None:
        story.append("begins")
        if story == ["begins"]:
            raise Faulty("not yet")

    worker = new_worker(handler, on_start=fails_once, on_stop=ends)
    with pytest.raises(Faulty):
        await worker.start()
    await worker.start()
    await worker.close()

    assert story == ["begins", "ends", "begins", "pool opened", "pool closed", "ends"]


@pytest.mark.parametrize("error", [Faulty, asyncio.CancelledError])
async def test_a_stop_that_fails_is_told(
    queue: Queue, new_worker: WorkerFactory, error: type[BaseException]
) -> None:
    async def fails(worker: Worker) -> None:
        raise error("no goodbye")

    errors: list[BaseException] = []
    worker = new_worker(handler, on_stop=fails)
    worker.on("error", errors.append)
    worker.on("closed", lambda: story.append("closed"))
    await worker.start()
    await worker.close()

    assert [type(each) for each in errors] == [Faulty if error is Faulty else TimeoutError]
    assert story[-1] == "closed"


async def test_it_is_logged_when_nobody_listens(
    queue: Queue, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(worker: Worker) -> None:
        raise Faulty("no goodbye")

    worker = await start_worker(handler, on_stop=fails)
    await worker.close()

    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], Faulty)


async def test_who_closes_does_not_wait_for_a_slow_start(queue: Queue, new_worker: WorkerFactory) -> None:
    async def begins_for_ever(worker: Worker) -> None:
        story.append("begins")
        await asyncio.Event().wait()

    worker = new_worker(handler, on_start=begins_for_ever, on_stop=ends)
    starting = asyncio.create_task(worker.start())
    await eventually(lambda: story == ["begins"])
    await asyncio.wait_for(worker.close(), 5)

    await starting
    assert story == ["begins", "ends"]
    assert not worker.is_running


async def test_who_is_in_a_hurry_does_not_wait_for_a_slow_stop(
    queue: Queue, new_worker: WorkerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends_never(worker: Worker) -> None:
        story.append("is ending")
        try:
            await asyncio.Event().wait()
        finally:
            ends(worker)

    monkeypatch.setattr(closing, "LAST_WORDS", 0.01)
    errors: list[BaseException] = []
    worker = new_worker(handler, on_stop=ends_never)
    worker.on("error", errors.append)
    await worker.start()
    patient = asyncio.create_task(worker.close())
    await eventually(lambda: "is ending" in story)
    assert not patient.done()
    await asyncio.wait_for(worker.close(force=True), 5)

    await patient
    assert story == ["pool opened", "pool closed", "is ending", "ends"]
    assert [str(error) for error in errors] == [
        "on_stop, or what cleans up behind a resource, was cancelled or took too long"
    ]


async def test_without_a_server_nothing_begins(new_worker: WorkerFactory) -> None:
    worker = new_worker(handler, url="redis://127.0.0.1:1/0", on_start=begins, on_stop=ends)
    with pytest.raises(ConnectionError):
        await worker.start()
    await worker.close()

    assert story == []
