"""SIGTERM and SIGINT end a worker in order, as they should in a container."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.support.program import Program
from toril import Queue

WORKER = """
import asyncio, signal, sys
from toril import Worker

async def handler(job):
    print("started", job.id, flush=True)
    await asyncio.sleep(job.data["seconds"])
    print("finished", job.id, flush=True)

async def main():
    worker = Worker("tasks", handler, url=sys.argv[1], prefix=sys.argv[2])
    worker.on("ready", lambda: print("ready", flush=True))
    worker.on("closing", lambda: print("closing", flush=True))
    await worker.run(**eval(sys.argv[3]))
    print("over", flush=True)

asyncio.run(main())
"""


HANDLERS_OF_ITS_OWN = """
import asyncio, os, signal, sys
from toril import Worker

def plain(*_):
    print("plain", flush=True)

async def main():
    told = asyncio.Event()
    signal.signal(signal.SIGTERM, plain)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, told.set)
    worker = Worker("tasks", lambda job: None, url=sys.argv[1], prefix=sys.argv[2])
    worker.on("ready", lambda: os.kill(os.getpid(), signal.SIGTERM))
    await worker.run()
    print("over", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    await told.wait()
    print("told", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def program(url: str, prefix: str) -> Iterator[Program]:
    with Program(WORKER, url, prefix, {}) as program:
        assert program.line() == "ready"
        yield program


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_running_job_finish(
    queue: Queue, program: Program, number: signal.Signals
) -> None:
    job = await queue.add("work", {"seconds": 0.3})
    assert program.line() == "started 1"
    program.send(number)

    assert [program.line() for _ in range(3)] == ["closing", "finished 1", "over"]
    assert program.exit_code() == 0
    assert await job.state() == "completed"


async def test_no_job_is_started_after_it(queue: Queue, program: Program) -> None:
    jobs = [await queue.add("work", {"seconds": 0.2}) for _ in range(3)]
    assert program.line() == "started 1"
    program.send(signal.SIGTERM)

    assert program.exit_code() == 0
    assert [await job.state() for job in jobs] == ["completed", "waiting", "waiting"]


async def test_an_idle_worker_leaves_at_once(queue: Queue, program: Program) -> None:
    program.send(signal.SIGTERM)

    assert program.exit_code(within=3) == 0


async def test_a_second_signal_gives_the_job_back(queue: Queue, program: Program) -> None:
    job = await queue.add("work", {"seconds": 60})
    assert program.line() == "started 1"
    program.send(signal.SIGTERM)
    assert program.line() == "closing"
    program.send(signal.SIGTERM)

    assert program.exit_code(within=5) == 0
    await job.refresh()
    assert (await job.state(), job.attempts_made) == ("waiting", 0)


async def test_jobs_that_outlast_the_grace_wait_again(queue: Queue, url: str, prefix: str) -> None:
    with Program(WORKER, url, prefix, {"grace": 0.1}) as program:
        job = await queue.add("work", {"seconds": 60})
        assert [program.line() for _ in range(2)] == ["ready", "started 1"]
        program.send(signal.SIGTERM)

        assert program.exit_code(within=5) == 0
    await job.refresh()
    assert (await job.state(), job.attempts_made) == ("waiting", 0)


async def test_jobs_that_outlast_the_grace_fail_if_that_is_wanted(
    queue: Queue, url: str, prefix: str
) -> None:
    with Program(WORKER, url, prefix, {"grace": 0.1, "fail_unfinished": True}) as program:
        last = await queue.add("work", {"seconds": 60})
        again = await queue.add("work", {"seconds": 60}, attempts=2)
        assert [program.line() for _ in range(2)] == ["ready", "started 1"]
        program.send(signal.SIGTERM)

        assert program.exit_code(within=5) == 0
    await last.refresh()
    await again.refresh()
    assert (await last.state(), last.attempts_made) == ("failed", 1)
    assert last.failed_reason == "the worker was stopped while it ran the job"
    assert (await again.state(), again.attempts_made) == ("waiting", 0)


def test_handlers_that_were_there_before_are_there_again(url: str, prefix: str) -> None:
    with Program(HANDLERS_OF_ITS_OWN, url, prefix) as program:
        assert [program.line() for _ in range(3)] == ["over", "plain", "told"]
        assert program.exit_code() == 0
