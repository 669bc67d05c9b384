"""Whatever ends a handler in a child fails its job, and names the cause."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.fault.isolation import handlers
from tests.fault.isolation.conftest import PATIENCE
from tests.support.factories import WorkerStarter
from toril import ChildProcessDied, Job, JobFailed, Queue, RemoteError, Worker


async def failure(queue: Queue, data: Any = None) -> JobFailed:
    job = await queue.add("work", data)
    with pytest.raises(JobFailed) as caught:
        await job.result(timeout=PATIENCE)
    return caught.value


def errors_of(worker: Worker) -> list[BaseException]:
    """The errors that listeners get."""
    errors: list[BaseException] = []

    def note(job: Job, error: BaseException, state: str) -> None:
        errors.append(error)

    worker.on("failed", note)
    return errors


@pytest.mark.parametrize(
    ("kind", "reason", "signal"),
    [
        ("exit", "left with exit code 3", None),
        ("segfault", "was killed by SIGSEGV", "SIGSEGV"),
        ("abort", "was killed by SIGABRT", "SIGABRT"),
        ("killed", "was killed by SIGKILL, perhaps because memory ran out", "SIGKILL"),
        ("no pipe", "left with exit code 1", None),
    ],
)
async def test_a_child_that_dies_fails_its_job_alone(
    queue: Queue, start_worker: WorkerStarter, kind: str, reason: str, signal: str | None
) -> None:
    worker = await start_worker({"work": handlers.dies, "fine": handlers.pid}, isolation="process")
    errors = errors_of(worker)

    assert reason in (await failure(queue, kind)).reason
    assert isinstance(errors[0], ChildProcessDied)
    assert errors[0].signal == signal
    assert f"(pid {errors[0].pid})" in str(errors[0])
    assert await (await queue.add("fine")).result(timeout=PATIENCE) != errors[0].pid


async def test_where_the_interpreter_crashed_is_in_the_stacktrace(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(handlers.dies, isolation="process")

    stack = (await failure(queue, "segfault")).stacktrace[0]

    assert "Segmentation fault" in stack
    assert "in dies" in stack


async def test_a_job_whose_child_died_is_tried_again(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(handlers.dies_once, isolation="process")
    job = await queue.add("work", attempts=2)

    assert await job.result(timeout=PATIENCE) == "start 2"
    await job.refresh()
    assert "left with exit code 7" in job.stacktrace[0]


RAISED: dict[str, tuple[str, type[BaseException]]] = {
    "key": ("'colour'", KeyError),
    "exit": ("SystemExit: 4", SystemExit),
    "exit text": ("SystemExit: enough", SystemExit),
    "interrupt": ("KeyboardInterrupt", KeyboardInterrupt),
    "generator": ("GeneratorExit", GeneratorExit),
    "memory": ("no room", MemoryError),
    "keywords": ("lost 3", handlers.LocalLoss),
    "stubborn": ("will not go", RemoteError),
    "exploding": ("goes, but does not arrive", RemoteError),
    "function": ("with a", RemoteError),
    "file": ("[Errno 2] No such file: '/nowhere'", FileNotFoundError),
    "group": ("several (2 sub-exceptions)", ExceptionGroup),
    "unicode": ("bad start", UnicodeDecodeError),
    "cancelled": ("by itself", asyncio.CancelledError),
}


@pytest.mark.parametrize("handler", [handlers.raises, handlers.raises_async])
async def test_errors_arrive_with_their_text_and_traceback_and_harm_no_child(
    queue: Queue, start_worker: WorkerStarter, handler: Any
) -> None:
    worker = await start_worker({"work": handler, "fine": handlers.pid}, isolation="process")
    errors = errors_of(worker)
    before = await (await queue.add("fine")).result(timeout=PATIENCE)

    for kind, (reason, error) in RAISED.items():
        failed = await failure(queue, kind)

        assert reason in failed.reason
        assert f"in {handler.__name__}\n" in failed.stacktrace[0]
        assert "raise odd_error(job.data)\n" in failed.stacktrace[0]
        assert type(errors.pop()) is error

    assert await (await queue.add("fine")).result(timeout=PATIENCE) == before


async def test_an_error_keeps_what_its_class_has_added(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(handlers.raises, isolation="process")
    errors = errors_of(worker)
    await failure(queue, "keywords")
    await failure(queue, "group")

    assert isinstance(errors[0], handlers.LocalLoss)
    assert errors[0].amount == 3
    group = cast("ExceptionGroup[Exception]", errors[1])
    assert [type(each) for each in group.exceptions] == [handlers.LocalLoss, KeyError]


async def test_an_error_of_a_class_that_nobody_else_knows_is_named(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(handlers.local_error, isolation="process")
    errors = errors_of(worker)

    assert (await failure(queue)).reason == "from within"
    assert isinstance(errors[0], RemoteError)
    assert errors[0].kind == "local_error.<locals>.Local"


@pytest.mark.parametrize(
    ("kind", "reason"), [("object", "result='<object object"), ("nan", "JSON has no such")]
)
async def test_a_result_that_can_not_be_stored_fails_the_attempt(
    queue: Queue, start_worker: WorkerStarter, kind: str, reason: str
) -> None:
    await start_worker(handlers.returns, isolation="process")

    assert reason in (await failure(queue, kind)).reason
    assert await (await queue.add("work", "order")).result(timeout=PATIENCE) == {"what": "tea", "count": 1}
    assert await (await queue.add("work", "none")).result(timeout=PATIENCE) is None


async def test_a_handler_that_wants_too_much_memory_fails_its_job(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(handlers.out_of_memory, isolation="process")

    assert (await failure(queue)).reason == "MemoryError"


async def test_what_a_handler_prints_harms_nothing(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(handlers.prints, isolation="process")

    assert await (await queue.add("work")).result(timeout=PATIENCE) == "printed"


async def test_a_child_that_writes_into_files_that_are_not_its_own_is_replaced(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker({"work": handlers.scribbles, "fine": handlers.pid}, isolation="process")

    assert "into the pipe of its worker what is no message" in (await failure(queue)).reason
    assert await (await queue.add("fine")).result(timeout=PATIENCE)


async def test_a_system_that_has_no_room_for_a_child_fails_the_attempt(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*args: object, **options: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    await start_worker(handlers.pid, isolation="process")
    with monkeypatch.context() as full:
        full.setattr(asyncio, "create_subprocess_exec", refuse)
        with pytest.raises(JobFailed, match=r"could not start: .*temporarily unavailable"):
            await (await queue.add("work")).result(timeout=PATIENCE)

    assert isinstance(await (await queue.add("work")).result(timeout=PATIENCE), int)


async def test_a_worker_closes_that_had_not_even_room_for_a_pipe(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    worker = await start_worker(handlers.pid, isolation="process")
    with monkeypatch.context() as patched:
        # Not in the module itself: other threads make loops, which need pairs of their own.
        without = SimpleNamespace(**{**vars(socket), "socketpair": full})
        patched.setattr("toril.core.worker.isolation.process.socket", without)
        assert "could not start: [Errno 24] Too many open files" in (await failure(queue)).reason

    async with asyncio.timeout(PATIENCE):
        await worker.close()


async def test_a_path_of_modules_that_holds_more_than_texts(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python passes over what is no text, and so does a child.
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere")])
    await start_worker(handlers.pid, isolation="process")

    assert await (await queue.add("work")).result(timeout=PATIENCE) != os.getpid()


async def test_a_start_that_fails_in_any_way_fails_the_attempt(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", None)
    worker = await start_worker(handlers.pid, isolation="process")

    assert "a child process could not start" in (await failure(queue)).reason

    async with asyncio.timeout(PATIENCE):
        await worker.close()
