"""Cancelling jobs that another process runs."""

from __future__ import annotations

import asyncio
import signal
import statistics
import time

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from tests.support.program import Program
from tests.support.proxy import Proxy
from toril import Cancellation, Job, JobFailed, Queue

WORKER = """
import asyncio, sys, time
from toril import Worker

async def coroutine(job):
    print("started", job.id, flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", job.id, flush=True)
        raise

def thread(job):
    print("started", job.id, flush=True)
    job.cancelled.wait(60)
    print("cancelled", job.id, flush=True)
    job.check_cancelled()

async def main():
    handlers = {"coroutine": coroutine, "thread": thread}
    await Worker("tasks", handlers, url=sys.argv[1], prefix=sys.argv[2], concurrency=4).run()

asyncio.run(main())
"""


async def line_of(program: Program) -> str:
    return await asyncio.to_thread(program.line)


@pytest.mark.parametrize("kind", ["coroutine", "thread"])
async def test_the_handler_hears_of_it_at_once(queue: Queue, url: str, prefix: str, kind: str) -> None:
    took: list[float] = []
    with Program(WORKER, url, prefix) as program:
        for _ in range(10):
            job = await queue.add(kind, attempts=5)
            assert await line_of(program) == f"started {job.id}"
            began = time.perf_counter()
            assert await queue.cancel(job.id) is Cancellation.CANCELLING
            assert await line_of(program) == f"cancelled {job.id}"
            took.append(time.perf_counter() - began)
            with pytest.raises(JobFailed) as caught:
                await job.result(timeout=5)
            assert caught.value.reason == "cancelled"
            assert (job.attempts_made, job.attempts_started) == (1, 1)
        program.send(signal.SIGTERM)
        program.exit_code()
    assert statistics.median(took) < 0.1


async def test_the_mark_outlives_the_worker(
    queue: Queue, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    ran: list[str] = []

    async def handler(job: Job) -> None:
        ran.append(job.id)

    with Program(
        WORKER.replace("concurrency=4", "lock_duration=0.3, stalled_interval=0.1"), url, prefix
    ) as program:
        job = await queue.add("coroutine", attempts=5)
        assert await line_of(program) == f"started {job.id}"
        program.send(signal.SIGSTOP)
        assert await queue.cancel(job.id) is Cancellation.CANCELLING
        program.kill()
        await start_worker(handler, stalled_interval=0.1)

        await eventually(job.is_failed)
    await job.refresh()
    assert (job.failed_reason, ran) == ("cancelled", [])


async def test_word_that_comes_while_the_worker_is_cut_off_is_heard_afterwards(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    started = asyncio.Event()

    async def handler(job: Job) -> None:
        started.set()
        await asyncio.Event().wait()

    worker = await start_worker(handler, url=proxy.url, lock_duration=60)
    complaints: list[BaseException] = []
    worker.on("error", complaints.append)
    job = await queue.add("work")
    await started.wait()
    proxy.refuse()
    proxy.cut()
    assert await queue.cancel(job.id) is Cancellation.CANCELLING

    proxy.refuse(refusing=False)

    await eventually(job.is_failed)
