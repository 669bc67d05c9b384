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
    await worker.run()
    print("over", flush=True)

asyncio.run(main())
"""


@pytest.fixture
def program(url: str, prefix: str) -> Iterator[Program]:
    with Program(WORKER, url, prefix) as program:
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
