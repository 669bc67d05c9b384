"""Resources that live as long as their worker: how they begin and end; and what needs no making."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Annotated, Any

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from tests.support.resources import (
    Pool,
    PoolDep,
    by_function,
    by_generator,
    make_model,
    make_pool,
    on_loop,
    story,
)
from toril import (
    BlockingJob,
    CancelToken,
    Depends,
    Job,
    JobLogger,
    OptionError,
    Queue,
)


@pytest.fixture(autouse=True)
def _from_the_beginning() -> None:
    story.clear()


# --- how a worker begins and ends ---


class Faulty(Exception):
    """What a user's own function raises."""


async def no_model(pool: PoolDep) -> str:
    raise Faulty("no such model")


async def test_a_resource_that_fails_stops_the_start(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker(on_loop)
    worker.override(make_model, no_model)
    job = await queue.add("work")
    with pytest.raises(Faulty, match="no such model"):
        await worker.start()

    assert story == ["pool opened", "pool closed"]
    assert not worker.is_running
    assert await job.state() == "waiting"
    # Who starts it again tries again.
    with pytest.raises(Faulty):
        await worker.start()
    assert story == ["pool opened", "pool closed"] * 2


async def stubborn() -> AsyncGenerator[Pool]:
    yield Pool("stubborn")
    raise Faulty("won't close")


async def test_what_can_not_be_closed_is_told_and_keeps_nobody(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    errors: list[BaseException] = []
    worker = new_worker(on_loop)
    worker.override(make_model, stubborn)
    worker.override(make_pool, by_generator)
    worker.on("error", errors.append)
    await worker.start()
    await worker.close()

    assert [str(error) for error in errors] == ["won't close"]
    assert story == ["generator opened", "generator closed"]


async def grouped() -> AsyncGenerator[asyncio.TaskGroup]:
    async with asyncio.TaskGroup() as group:
        yield group
        story.append("group left")


async def in_the_background(job: Job, group: Annotated[asyncio.TaskGroup, Depends(grouped)]) -> None:
    async def work() -> None:
        story.append(f"{job.name} in the background")

    group.create_task(work())


async def test_resources_are_left_in_the_task_that_entered_them(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(in_the_background)
    await (await queue.add("work")).result(timeout=5)
    await worker.close()

    assert story == ["work in the background", "group left"]


async def test_work_by_hand_makes_them_when_they_are_needed(queue: Queue, new_worker: WorkerFactory) -> None:
    worker = new_worker(on_loop)
    await queue.add("work")
    job = await worker.get_next_job()
    assert job is not None
    assert story == []
    await worker.process(job)
    await worker.close()

    assert await queue.get_completed_count() == 1
    assert [line for line in story if line.startswith("pool")] == ["pool opened", "pool closed"]


async def test_overriding_is_for_what_is_used_and_not_yet_made(new_worker: WorkerFactory) -> None:
    worker = new_worker(on_loop)
    with pytest.raises(OptionError, match="known are: make_pool, make_session, make_model"):
        worker.override(by_function, by_generator)
    fake: Any = "fake"
    with pytest.raises(OptionError, match="can't be called"):
        worker.override(make_pool, fake)
    with pytest.raises(OptionError, match="its resource make_pool: nobody can give it 'size: int'"):
        worker.override(make_pool, sized)
    await worker.start()
    assert story[0] == "pool opened"
    with pytest.raises(RuntimeError, match="override before it starts"):
        worker.override(make_pool, by_generator)


def sized(size: int) -> Pool: ...


# --- what each run can give ---


def logs(log: JobLogger, other: logging.LoggerAdapter[logging.Logger], job: BlockingJob) -> bool:
    log.warning("half done", extra={"done": 50})
    return type(other) is JobLogger


async def test_the_logger_names_the_job(
    queue: Queue, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    await start_worker(logs)
    job = await queue.add("work")

    assert await job.result(timeout=5) is True
    facts = [
        (each.name, each.getMessage(), *(vars(each)[key] for key in ("queue", "job_id", "job_name", "done")))
        for each in caplog.records
    ]
    assert facts == [(__name__, "half done", "tasks", job.id, "work", 50)]


def waits(cancel: CancelToken) -> None:
    story.append("waits")
    if cancel.wait(timeout=5) and cancel.cancelled:
        story.append("was told")


async def test_a_thread_is_told_that_its_run_was_cancelled(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(waits)
    await queue.add("work")
    await eventually(lambda: story == ["waits"])
    await worker.close(force=True)

    assert story == ["waits", "was told"]
    # It has heard, and returned: that is an end like any other.
    assert await queue.get_completed_count() == 1


async def looks(job: Job, cancel: CancelToken | None = None) -> bool:
    assert cancel is not None
    return cancel.cancelled


async def test_nothing_is_cancelled_by_itself(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(looks)

    assert await (await queue.add("work")).result(timeout=5) is False
