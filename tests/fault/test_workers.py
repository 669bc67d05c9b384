"""Workers that are killed, and handlers that hold up their event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from tests.support.program import Program
from toril import Job, LockLost, LockMismatch, Queue, Worker

VICTIM = """
import asyncio, sys
from toril import Worker

async def handler(job):
    print("started", job.id, flush=True)
    await asyncio.sleep(60)

async def main():
    options = {"concurrency": 4, "lock_duration": 0.5, "stalled_interval": 0.2}
    await Worker("tasks", handler, url=sys.argv[1], prefix=sys.argv[2], **options).run()

asyncio.run(main())
"""

EXITING = """
import asyncio, os, sys
from toril import Worker

async def handler(job):
    os._exit(3)

async def main():
    options = {"lock_duration": 0.3, "stalled_interval": 0.2}
    await Worker("tasks", handler, url=sys.argv[1], prefix=sys.argv[2], **options).run()

asyncio.run(main())
"""

SHORT_LOCKS: dict[str, Any] = {"lock_duration": 0.3, "stalled_interval": 0.2}


async def finish(job: Job) -> str:
    return "finished elsewhere"


@pytest.fixture
def victim(url: str, prefix: str) -> Iterator[Program]:
    with Program(VICTIM, url, prefix) as program:
        yield program


async def test_jobs_of_a_killed_worker_run_elsewhere(
    queue: Queue, victim: Program, start_worker: WorkerStarter
) -> None:
    jobs = [await queue.add("work") for _ in range(4)]
    assert sorted(victim.line() for _ in jobs) == [f"started {n}" for n in (1, 2, 3, 4)]
    victim.kill()
    worker = await start_worker(finish, concurrency=4, **SHORT_LOCKS)
    stalled: list[str] = []
    worker.on("stalled", stalled.append)

    assert await asyncio.gather(*(job.result(timeout=10) for job in jobs)) == ["finished elsewhere"] * 4
    assert sorted(stalled) == ["1", "2", "3", "4"]
    for job in jobs:
        await job.refresh()
        assert (job.stalled_counter, job.attempts_made, job.attempts_started) == (1, 1, 2)


async def test_a_job_that_kills_each_worker_fails_in_the_end(
    queue: Queue, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    job = await queue.add("deadly")
    for _ in range(2):
        with Program(EXITING, url, prefix) as program, pytest.raises(AssertionError):
            program.exit_code()
        watch = await start_worker(finish, **SHORT_LOCKS, max_stalled_count=1)
        await watch.pause()
        await eventually(lambda: _waits(job))
        await watch.close()
    await start_worker(finish)

    await eventually(lambda: job.is_failed())
    await job.refresh()
    assert job.failed_reason == "job stalled more than allowable limit"


async def _waits(job: Job) -> bool:
    return await job.state() == "waiting"


class Rival:
    """Another worker, in a thread of its own, that looks for abandoned jobs all the time."""

    def __init__(self, url: str, prefix: str) -> None:
        self.found: list[str] = []
        self._url, self._prefix = url, prefix
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._look()), name="rival")

    def __enter__(self) -> Rival:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _look(self) -> None:
        worker = Worker("tasks", url=self._url, prefix=self._prefix, stalled_interval=0.05)
        while not self._stop.is_set():
            self.found.extend(await worker.check_stalled())
            await asyncio.sleep(0.02)
        await worker.close()


async def test_a_handler_that_blocks_the_loop_longer_than_its_lock_keeps_it(
    queue: Queue, url: str, prefix: str, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    async def block(job: Job) -> str:
        runs.append(job.id)
        # What is tested is that nothing else gets a turn.
        threading.Event().wait(1.5)
        return "done"

    runs: list[str] = []
    with Rival(url, prefix) as rival:
        await start_worker(block, lock_duration=0.4)
        job = await queue.add("rude")
        assert await job.result(timeout=10) == "done"

    assert (runs, rival.found) == (["1"], [])
    records = [record for record in caplog.records if "blocks the event loop" in record.message]
    assert vars(records[0])["job_name"] == "rude"


async def test_a_job_taken_over_by_another_worker_is_theirs(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    async def slow(job: Job) -> str:
        started.set()
        await go_on.wait()
        return "too late"

    started, go_on = asyncio.Event(), asyncio.Event()
    worker = await start_worker(slow, lock_duration=0.2, skip_lock_renewal=True, skip_stalled_check=True)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    job = await queue.add("work")
    await started.wait()
    await start_worker(finish, **SHORT_LOCKS)
    assert await job.result(timeout=5) == "finished elsewhere"
    go_on.set()

    await eventually(lambda: errors)
    await worker.close()
    assert {type(error) for error in errors} <= {LockLost, LockMismatch}
    await job.refresh()
    assert (job.return_value, await job.state()) == ("finished elsewhere", "completed")


async def test_a_lost_lock_is_told_while_the_job_runs(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    async def slow(job: Job) -> None:
        started.set()
        await go_on.wait()

    started, go_on = asyncio.Event(), asyncio.Event()
    worker = await start_worker(slow, lock_duration=0.4, skip_stalled_check=True)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await queue.add("work")
    await started.wait()
    database.command("SET", f"{prefix}:tasks:1:lock", "of somebody else")

    await eventually(lambda: errors)
    assert isinstance(errors[0], LockLost)
    assert errors[0].job_id == "1"
    go_on.set()


async def test_locks_are_renewed_as_long_as_jobs_run(
    queue: Queue, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    async def slow(job: Job) -> None:
        await go_on.wait()

    go_on = asyncio.Event()
    with Rival(url, prefix) as rival:
        await start_worker(slow, concurrency=20, lock_duration=0.3)
        jobs = [await queue.add("work") for _ in range(20)]
        asyncio.get_running_loop().call_later(1, go_on.set)
        await asyncio.gather(*(job.result(timeout=5) for job in jobs))

    assert rival.found == []


UNSTOPPABLE = """
import asyncio, sys, time
from toril import Worker

def never_ends(job):
    print("started", flush=True)
    while True:
        time.sleep(60)

async def main():
    worker = Worker("tasks", never_ends, url=sys.argv[1], prefix=sys.argv[2], cancel_grace=0.2)
    await worker.run(grace=0.2)
    print("closed", flush=True)

asyncio.run(main())
"""


async def test_a_program_ends_though_a_handler_in_a_thread_never_does(
    queue: Queue, url: str, prefix: str
) -> None:
    job = await queue.add("work")
    with Program(UNSTOPPABLE, url, prefix) as program:
        assert await asyncio.to_thread(program.line) == "started"
        program.send(signal.SIGTERM)
        assert await asyncio.to_thread(program.line) == "closed"
        await asyncio.to_thread(program.exit_code)
    await job.refresh()
    assert (await job.state(), job.attempts_made) == ("waiting", 0)
