"""What handlers in child processes can do: the same as elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.fault.isolation import handlers
from tests.fault.isolation.conftest import PATIENCE
from tests.support.factories import WorkerStarter
from toril import Job, JobFailed, Queue


async def run(queue: Queue, start: WorkerStarter, handler: Any, data: Any = None, **options: Any) -> Any:
    await start(handler, isolation="process")
    return await (await queue.add("work", data, **options)).result(timeout=PATIENCE)


@pytest.mark.parametrize("handler", [handlers.where, handlers.where_async])
async def test_it_runs_in_the_main_thread_of_another_process_with_a_session_of_its_own(
    queue: Queue, start_worker: WorkerStarter, handler: Callable[[Any], Any]
) -> None:
    pid, in_main_thread, session = await run(queue, start_worker, handler)

    assert pid != os.getpid()
    assert in_main_thread
    assert session == pid


@pytest.mark.parametrize("handler", [handlers.verbs, handlers.async_verbs])
async def test_the_verbs_of_the_job_are_carried_out_by_the_worker(
    queue: Queue, start_worker: WorkerStarter, handler: Callable[[Any], Any]
) -> None:
    worker = await start_worker(handler, isolation="process")
    told: list[Any] = []

    def note(job: Job, progress: Any) -> None:
        told.append(progress)

    worker.on("progress", note)
    job = await queue.add("work")

    rows, progress, data, state, log, started = await job.result(timeout=PATIENCE)

    assert (rows, state, log, started) == (1, "active", ["one"], 1)
    assert data == {"what": "tea", "count": 2}
    assert told == [progress]
    await job.refresh()
    assert (job.progress, job.data) == (progress, data)


async def test_threads_of_a_handler_may_use_the_job_at_once(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    assert await run(queue, start_worker, handlers.threads_log) == 20


async def test_a_verb_that_is_not_waited_for_harms_none_of_the_others(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    assert await run(queue, start_worker, handlers.impatient) == 2


async def test_what_a_verb_raises_is_raised_in_the_child(queue: Queue, start_worker: WorkerStarter) -> None:
    answer = await run(queue, start_worker, handlers.refused_verb)

    assert answer.startswith("JobNotInState: ")


async def test_an_argument_without_a_json_form_is_refused_in_the_child(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    with pytest.raises(JobFailed, match=r"progress=.*no JSON form") as caught:
        await run(queue, start_worker, handlers.bad_progress)
    assert "in bad_progress" in caught.value.stacktrace[0]


@pytest.mark.parametrize(
    ("handler", "result"), [(handlers.typed, "2 x tea"), (handlers.typed_with_job, "work: 2 x tea")]
)
async def test_payloads_are_decoded_in_the_child(
    queue: Queue, start_worker: WorkerStarter, handler: Any, result: str
) -> None:
    assert await run(queue, start_worker, handler, {"what": "tea", "count": 2}) == result


async def test_a_payload_that_does_not_fit_fails_at_once(queue: Queue, start_worker: WorkerStarter) -> None:
    with pytest.raises(JobFailed, match="does not fit Order") as caught:
        await run(queue, start_worker, handlers.typed, {"what": 5}, attempts=3)
    assert len(caught.value.stacktrace) == 1


async def test_a_plain_function_may_hand_back_a_coroutine(queue: Queue, start_worker: WorkerStarter) -> None:
    assert await run(queue, start_worker, handlers.gives_coroutine) == "later"


async def test_a_partial_of_what_can_be_imported_will_do(queue: Queue, start_worker: WorkerStarter) -> None:
    assert await run(queue, start_worker, partial(multiplied, 3), 14) == 42


def multiplied(factor: int, job: Any) -> int:
    return factor * job.data


@pytest.mark.parametrize("handler", [handlers.binds, handlers.binds_async])
async def test_each_job_has_a_context_of_its_own(
    queue: Queue, start_worker: WorkerStarter, handler: Any
) -> None:
    await start_worker(handler, isolation="process")
    jobs = [await queue.add("work") for _ in range(2)]

    assert [await job.result(timeout=PATIENCE) for job in jobs] == ["nothing", "nothing"]


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("retry", "start 2, made 1"),
        ("delay", "start 2, made 0"),
        ("wait", "start 2, made 0"),
        ("limit", "start 2, made 0"),
        ("children", "start 2, made 0"),
    ],
)
async def test_steering_works(queue: Queue, start_worker: WorkerStarter, kind: str, result: str) -> None:
    assert await run(queue, start_worker, handlers.steer, kind, attempts=2) == result


async def test_a_final_error_that_only_the_child_knows_is_final(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    with pytest.raises(JobFailed, match="no more") as caught:
        await run(queue, start_worker, handlers.unrecoverable, attempts=3)
    assert len(caught.value.stacktrace) == 1


async def test_jobs_run_at_once_in_as_many_children_as_there_are_slots(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(handlers.async_pid, isolation="process", concurrency=2)
    jobs = [await queue.add("work") for _ in range(50)]

    pids = await asyncio.gather(*(job.result(timeout=PATIENCE) for job in jobs))

    assert len(set(pids)) == 2
    assert os.getpid() not in pids


async def test_each_name_of_jobs_can_have_a_place_of_its_own(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    isolation = {"heavy": "process", "*": "thread"}
    await start_worker(handlers.pid, isolation=isolation)
    heavy, light = await queue.add("heavy"), await queue.add("light")

    assert await heavy.result(timeout=PATIENCE) != os.getpid()
    assert await light.result(timeout=PATIENCE) == os.getpid()


async def test_handlers_by_name_share_the_children(queue: Queue, start_worker: WorkerStarter) -> None:
    routes = {"plain": handlers.pid, "async": handlers.async_pid}
    await start_worker(routes, isolation="process")
    jobs = [await queue.add(name) for name in ("plain", "async", "plain")]

    assert len({await job.result(timeout=PATIENCE) for job in jobs}) == 1
