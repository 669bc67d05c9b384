"""Dependencies of handlers in children, and middleware around them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.fault.isolation import depending, handlers
from tests.fault.isolation.conftest import PATIENCE, children
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, JobFailed, OptionError, Queue, RunNext, Worker

Notes = Callable[[], list[str]]


async def results(queue: Queue, count: int, data: Any = None) -> list[Any]:
    """What so many jobs return, one after the other."""
    return [await (await queue.add("work", data)).result(timeout=PATIENCE) for _ in range(count)]


@pytest.mark.parametrize("handler", [depending.plain, depending.on_loop])
async def test_resources_are_made_once_in_each_child_and_closed_when_it_leaves(
    queue: Queue, start_worker: WorkerStarter, notes: Notes, handler: Any
) -> None:
    worker = await start_worker(handler, isolation="process", max_jobs_per_child=2)

    first, second, third = await results(queue, 3)
    await worker.close()

    pids = [first[0], third[0]]
    assert [each[:3] for each in (first, second, third)] == [
        [pids[0], pids[0], 1],
        [pids[0], pids[0], 2],
        [pids[1], pids[1], 1],
    ]
    assert len({*pids, os.getpid()}) == 3
    lives = [row for row in notes() if row != "committed"]
    assert sorted(lives) == sorted(f"{verb} {pid}" for verb in ("open", "close") for pid in pids)
    assert notes().count("committed") == 3


@pytest.mark.parametrize("handler", [depending.plain, depending.on_loop])
async def test_resources_of_a_run_know_their_job(
    queue: Queue, start_worker: WorkerStarter, notes: Notes, handler: Any
) -> None:
    await start_worker(handler, isolation="process")
    job = await queue.add("work")

    assert (await job.result(timeout=PATIENCE))[3:] == [f"row of {job.id}", depending.__name__]
    assert (await job.logs()).rows == ["made", "handled"]


async def test_a_coroutine_that_a_plain_function_hands_back_has_its_resources_still(
    queue: Queue, start_worker: WorkerStarter, notes: Notes
) -> None:
    before = children()
    await start_worker(depending.hands_on, isolation="process")

    (pid,) = await results(queue, 1)

    assert children() - before == {pid}


@pytest.mark.parametrize("handler", [depending.fails, depending.fails_on_loop])
@pytest.mark.parametrize(("data", "kind"), [("key", "KeyError"), ("exit", "SystemExit")])
async def test_resources_of_a_run_see_how_it_ends(
    queue: Queue, start_worker: WorkerStarter, notes: Notes, handler: Any, data: str, kind: str
) -> None:
    await start_worker(handler, isolation="process")

    with pytest.raises(JobFailed):
        await results(queue, 1, data)

    assert notes()[-1] == f"rolled back by {kind}"


async def test_a_resource_that_can_not_be_made_fails_the_start_of_the_child(
    queue: Queue, new_worker: WorkerFactory, notes: Notes
) -> None:
    worker = new_worker(depending.plain, isolation="process")
    worker.override(depending.make_pool, depending.bad_pool)
    await worker.start()

    with pytest.raises(JobFailed) as caught:
        await results(queue, 1)

    assert caught.value.reason == "a child process could not start: LookupError: no database"
    assert "in bad_pool" in caught.value.stacktrace[0]


async def test_what_is_overridden_is_so_in_the_child(
    queue: Queue, new_worker: WorkerFactory, notes: Notes
) -> None:
    worker = new_worker(depending.plain, isolation="process")
    worker.override(depending.make_pool, depending.fake_pool)
    await worker.start()

    ((_, made_by, run, _, _),) = await results(queue, 1)

    assert (made_by, run, notes()) == (-1, 1, ["committed"])


def test_what_a_child_can_not_import_is_refused_as_an_override(new_worker: WorkerFactory) -> None:
    worker = new_worker(depending.plain, isolation="process")

    with pytest.raises(OptionError, match=r"fake=.*it is a lambda"):
        worker.override(depending.make_pool, lambda: depending.Pool(0))
    with pytest.raises(OptionError, match="makes nothing for these handlers; known are: make_pool"):
        worker.override(depending.fake_pool, depending.bad_pool)


async def test_a_worker_makes_what_its_own_handlers_need_and_children_what_theirs_do(
    queue: Queue, start_worker: WorkerStarter, notes: Notes
) -> None:
    routes = {"work": depending.plain, "here": depending.late_answer}
    worker = await start_worker(routes, isolation={"work": "process"})

    here = await (await queue.add("here")).result(timeout=PATIENCE)
    ((child, made_in, *_),) = await results(queue, 1)
    await worker.close()

    assert (here, made_in) == (os.getpid(), child)
    assert sorted(set(notes()) - {"committed"}) == sorted(
        f"{verb} {pid}" for verb in ("open", "close") for pid in (here, child)
    )


async def test_middleware_runs_in_the_worker_around_the_child(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    seen: list[int] = []

    async def around(job: Job, call_next: RunNext) -> list[Any]:
        seen.append(os.getpid())
        if job.name == "skipped":
            return ["skipped"]
        return ["around", await call_next(job)]

    before = children()
    await start_worker(handlers.pid, isolation="process", middleware=[around])

    assert await (await queue.add("skipped")).result(timeout=PATIENCE) == ["skipped"]
    assert children() == before
    ((word, pid),) = await results(queue, 1)
    assert (word, seen) == ("around", [os.getpid()] * 2)
    assert children() - before == {pid}


async def test_middleware_sees_what_is_raised_in_the_child_and_may_try_again(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    caught: list[BaseException] = []

    async def twice(job: Job, call_next: RunNext) -> Any:
        for _ in range(2):
            try:
                return await call_next(job)
            except KeyError as error:
                caught.append(error)
        return "given up"

    before = children()
    await start_worker(handlers.raises, isolation="process", middleware=[twice])

    assert await results(queue, 1, "key") == ["given up"]
    assert [str(error) for error in caught] == ["'colour'", "'colour'"]
    assert len(children() - before) == 1


async def test_children_are_gone_when_on_stop_is_called(
    queue: Queue, start_worker: WorkerStarter, notes: Notes
) -> None:
    left: list[set[int]] = []
    before = children()

    def on_stop(worker: Worker) -> None:
        left.append(children() - before)

    worker = await start_worker(depending.plain, isolation="process", on_stop=on_stop)
    await results(queue, 1)
    await eventually(lambda: len(children() - before) == 1, PATIENCE)

    await worker.close()

    assert left == [set()]
    assert notes()[-1].startswith("close")


async def test_the_queues_of_a_worker_share_its_children_and_are_heard_when_jobs_are_cancelled(
    new_queue: QueueFactory, start_worker: WorkerStarter, notes: Notes
) -> None:
    before = children()
    left, right = new_queue("left"), new_queue("right")
    by_queue = {
        "left": {"pid": handlers.pid},
        "right": {"pid": handlers.pid, "hangs": depending.hangs_on_loop},
    }
    await start_worker(
        None, ["left", "right"], by_queue=by_queue, isolation={"hangs": "process", "*": "process"}
    )

    pids = [await (await queue.add("pid")).result(timeout=PATIENCE) for queue in (left, right)]
    job = await right.add("hangs")
    await eventually(lambda: f"hangs {pids[0]}" in notes(), PATIENCE)
    await right.cancel(job.id)
    with pytest.raises(JobFailed, match="cancelled"):
        await job.result(timeout=PATIENCE)

    assert children() - before == set(pids)
    assert len(set(pids)) == 1
