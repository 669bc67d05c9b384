"""The life of children: when they are made and replaced, and that they never stay."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.fault.isolation import handlers
from tests.fault.isolation.conftest import PATIENCE, children, open_files
from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from tests.support.program import Program
from toril import Job, JobFailed, Queue
from toril.core.connection import StoreLink
from toril.core.worker.isolation.options import ChildOptions
from toril.core.worker.isolation.pool import ChildPool
from toril.model.names import QueueRef

WORKER = """
import asyncio, sys
from tests.fault.isolation import handlers
from toril import Worker

async def main():
    routes = {"patient": handlers.patient, "pid": handlers.pid, "stubborn": handlers.stubborn}
    options = {"isolation": "process", "concurrency": 2, "cancel_grace": 0.5}
    worker = Worker("tasks", routes, url=sys.argv[1], prefix=sys.argv[2], **options)
    worker.on("ready", lambda: print("ready", flush=True))
    worker.on("closing", lambda: print("closing", flush=True))
    await worker.run()

asyncio.run(main())
"""


@pytest.fixture
def program(url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
    with Program(WORKER, url, prefix) as program:
        assert program.line() == "ready"
        yield program


async def results(queue: Queue, count: int, data: Any = None) -> list[Any]:
    """What so many jobs return, one after the other."""
    return [await (await queue.add("work", data)).result(timeout=PATIENCE) for _ in range(count)]


async def test_no_child_is_made_before_it_is_needed(new_worker: WorkerFactory, queue: Queue) -> None:
    before = children()
    worker = new_worker(handlers.pid, isolation="process", concurrency=20)
    await worker.start()

    assert children() == before
    pids = await results(queue, 5)
    assert len(set(pids)) == 1
    assert children() - before == set(pids)


async def test_a_child_is_replaced_after_its_jobs(queue: Queue, start_worker: WorkerStarter) -> None:
    before = children()
    await start_worker(handlers.pid, isolation="process", max_jobs_per_child=2)

    pids = await results(queue, 5)

    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    await eventually(lambda: children() - before == {pids[4]}, PATIENCE)


async def test_a_child_that_has_grown_is_replaced(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(handlers.hoards, isolation="process", max_memory_per_child=300_000_000)

    small = await results(queue, 2, 1000)
    large = await results(queue, 2, 320_000_000)

    assert small[0] == small[1] == large[0] != large[1]


@pytest.mark.parametrize("hook", [handlers.on_start, handlers.on_start_async])
async def test_a_hook_is_called_once_before_the_first_job_of_a_child(
    queue: Queue, start_worker: WorkerStarter, hook: Any
) -> None:
    await start_worker(handlers.started_list, isolation="process", on_child_start=hook)

    first, second = await results(queue, 2)

    assert first == second
    assert len(first) == 1
    assert abs(first[0]) != os.getpid()


async def test_a_hook_is_called_when_a_child_leaves(
    queue: Queue, start_worker: WorkerStarter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "stopped"
    monkeypatch.setenv("TORIL_TEST_STOPPED", str(notes))
    worker = await start_worker(
        handlers.pid, isolation="process", on_child_stop=handlers.on_stop, max_jobs_per_child=2
    )
    pids = await results(queue, 3)

    await eventually(notes.exists, PATIENCE)
    await worker.close()

    assert notes.read_text().split() == [str(pids[0]), str(pids[2])]


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        (handlers.bad_start, "a child process could not start: LookupError: no model to load"),
        (handlers.dying_start, "left with exit code 9 before it was ready"),
    ],
)
async def test_children_that_can_not_start_fail_their_jobs_and_say_why(
    queue: Queue, start_worker: WorkerStarter, hook: Any, reason: str
) -> None:
    await start_worker(handlers.pid, isolation="process", on_child_start=hook)

    with pytest.raises(JobFailed) as caught:
        await results(queue, 1)
    assert reason in caught.value.reason
    if hook is handlers.bad_start:
        assert "in bad_start" in caught.value.stacktrace[0]


async def test_no_file_stays_open(queue: Queue, start_worker: WorkerStarter) -> None:
    others = children()
    await start_worker(
        {"work": handlers.pid, "dies": handlers.dies}, isolation="process", max_jobs_per_child=1
    )
    await results(queue, 1)
    await eventually(lambda: children() == others, PATIENCE)
    before = Counter(open_files())

    await results(queue, 5)
    with pytest.raises(JobFailed):
        await (await queue.add("dies", "killed")).result(timeout=PATIENCE)

    await eventually(lambda: not Counter(open_files()) - before, PATIENCE)


async def test_an_idle_child_that_was_killed_is_passed_over(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    before = children()
    await start_worker(handlers.pid, isolation="process")
    (first,) = await results(queue, 1)

    os.kill(first, signal.SIGKILL)
    await eventually(lambda: children() == before, PATIENCE)

    assert await results(queue, 1) != [first]


def wait_for_its_end(pid: int) -> None:
    # Another thread may be the first to see it.
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


async def test_a_child_that_died_a_moment_ago_gets_no_job() -> None:
    pool = ChildPool(ChildOptions())
    number, ref = pool.add(handlers.pid, "handler"), QueueRef("bull", "tasks")
    job = Job(ref, "1", {}, link=StoreLink(ref, None, None))
    first = await pool.run(number, job)

    os.kill(first, signal.SIGKILL)
    # The loop stands still meanwhile, and knows nothing of it.
    wait_for_its_end(first)

    assert await pool.run(number, job) != first
    await pool.close()


async def test_children_leave_when_their_worker_is_killed(queue: Queue, program: Program) -> None:
    busy = await queue.add("patient")
    idle = await (await queue.add("pid")).result(timeout=PATIENCE)
    stubborn = await queue.add("stubborn")

    async def is_running() -> bool:
        return bool((await busy.logs()).rows and (await stubborn.logs()).rows)

    await eventually(is_running, PATIENCE)
    found = psutil.Process(program.pid).children(recursive=True)
    assert len(found) == 3, "two children, and what one of them has started"
    assert idle in [each.pid for each in found]

    program.kill()

    await eventually(lambda: not any(each.is_running() for each in found), PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_to_the_group_are_for_the_worker(
    queue: Queue, program: Program, number: signal.Signals
) -> None:
    job = await queue.add("patient")

    async def is_running() -> bool:
        return bool((await job.logs()).rows)

    await eventually(is_running, PATIENCE)
    (child,) = psutil.Process(program.pid).children()
    os.kill(child.pid, number)
    os.killpg(program.pid, number)
    assert program.line() == "closing"
    os.killpg(program.pid, number)

    # The second one cancels what runs. Its handler was told, and nothing else has ended it.
    assert program.exit_code() == 0
    assert await job.result(timeout=5) == "ended in order"
    assert not child.is_running()
