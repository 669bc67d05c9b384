"""Many workers in one process: what they share, and that they don't harm each other by it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.locks import renewed
from tests.support.program import Program
from toril import Job, Queue

MANY = 30
NAMES = [f"tasks-{number}" for number in range(MANY)]

FORGETFUL = """
import asyncio, sys, threading
from toril import Worker

def threads():
    return [thread for thread in threading.enumerate() if thread.name == "toril-locks"]

async def forgetful():
    await Worker("tasks", print, url=sys.argv[1], prefix=sys.argv[2], lock_duration=0.2).start()
    print(len(threads()), "while it ran", flush=True)

asyncio.run(forgetful())
for thread in threads():
    thread.join(10)
print(len(threads()), "after it", flush=True)
"""


class Handling:
    """A handler whose jobs go on until they are let."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.go_on = asyncio.Event()

    async def __call__(self, job: Job) -> str:
        self.started.append(job.queue_name)
        await self.go_on.wait()
        return "kept"


@pytest.fixture
async def handler() -> Handling:
    return Handling()


def lock_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "toril-locks"]


def lock_of(queue: Queue, job: Job) -> str:
    return f"{queue.ref.base}{job.id}:lock"


async def test_workers_share_a_thread_and_all_connections_but_those_they_wait_on(
    new_queue: QueueFactory, start_worker: WorkerStarter, handler: Handling, database: Database
) -> None:
    before = len(database.clients())
    queues = [new_queue(name) for name in NAMES]
    workers = [await start_worker(handler, name) for name in NAMES]
    jobs = await asyncio.gather(*(queue.add("work") for queue in queues))
    await eventually(lambda: len(handler.started) == MANY)
    handler.go_on.set()
    assert await asyncio.gather(*(job.result(timeout=10) for job in jobs)) == ["kept"] * MANY

    assert sorted(handler.started) == sorted(NAMES)
    assert len(lock_threads()) == 1
    # Each waits for jobs on one, and for word of cancelled ones on another. All calls go by one, and the
    # results were read on yet another, which is closed when it is not used.
    await eventually(lambda: len(database.clients()) == before + 2 * MANY + 1)
    await asyncio.gather(*(worker.close() for worker in workers))
    assert lock_threads() == []


async def test_locks_of_all_queues_are_renewed_on_one_connection(
    new_queue: QueueFactory, start_worker: WorkerStarter, handler: Handling, database: Database
) -> None:
    before = len(database.clients())
    queues = [new_queue(name) for name in NAMES]
    for name in NAMES:
        await start_worker(handler, name, lock_duration=1)
    jobs = await asyncio.gather(*(queue.add("work") for queue in queues))
    await eventually(lambda: len(handler.started) == MANY)
    locks = [lock_of(queue, job) for queue, job in zip(queues, jobs, strict=True)]
    tokens = database.command("MGET", *locks)
    await asyncio.gather(*(renewed(database, lock) for lock in locks))

    assert database.command("MGET", *locks) == tokens
    assert len(database.clients()) == before + 2 * MANY + 2
    handler.go_on.set()
    assert await asyncio.gather(*(job.result(timeout=10) for job in jobs)) == ["kept"] * MANY


async def test_a_short_lock_is_kept_beside_long_ones(
    new_queue: QueueFactory, start_worker: WorkerStarter, handler: Handling, database: Database
) -> None:
    """The thread looks as rarely as long locks allow when the worker with the short ones comes."""
    await start_worker(handler, "patient")
    await start_worker(handler, "hasty", lock_duration=0.4)
    queue = new_queue("hasty")
    job = await queue.add("work")
    await eventually(lambda: handler.started == ["hasty"])
    token = database.command("GET", lock_of(queue, job))
    for _ in range(3):
        await renewed(database, lock_of(queue, job))

    assert database.command("GET", lock_of(queue, job)) == token
    handler.go_on.set()
    assert await job.result(timeout=5) == "kept"


async def test_locks_that_can_not_be_renewed_harm_no_other_queue(
    new_queue: QueueFactory, start_worker: WorkerStarter, handler: Handling, database: Database, prefix: str
) -> None:
    stalled = f"{prefix}:broken:stalled"
    errors: dict[str, list[BaseException]] = {"broken": [], "sound": []}
    for name, heard in errors.items():
        worker = await start_worker(handler, name, lock_duration=0.6, skip_stalled_check=True)
        worker.on("error", heard.append)
    broken, sound = new_queue("broken"), new_queue("sound")
    await broken.add("work")
    good = await sound.add("work")
    await eventually(lambda: len(handler.started) == 2)
    database.command("SET", stalled, "no set")
    await eventually(lambda: len(errors["broken"]) >= 2)
    await renewed(database, lock_of(sound, good))

    assert all("WRONGTYPE" in str(error) for error in errors["broken"])
    assert errors["sound"] == []
    # Its job can't be settled either, and would be tried until the worker is closed.
    database.command("DEL", stalled)
    handler.go_on.set()
    assert await good.result(timeout=5) == "kept"


async def test_a_worker_that_comes_after_the_last_one_has_its_locks_kept(
    new_queue: QueueFactory, start_worker: WorkerStarter, handler: Handling, database: Database
) -> None:
    first = await start_worker(handler, "tasks", lock_duration=0.4)
    closing = asyncio.create_task(first.close())
    await start_worker(handler, "tasks", lock_duration=0.4)
    await closing
    queue = new_queue("tasks")
    job = await queue.add("work")
    await eventually(lambda: handler.started == ["tasks"])
    await renewed(database, lock_of(queue, job))

    assert len(lock_threads()) == 1
    handler.go_on.set()
    assert await job.result(timeout=5) == "kept"


def test_a_loop_that_ends_without_closing_its_worker_ends_the_thread(url: str, prefix: str) -> None:
    with Program(FORGETFUL, url, prefix) as program:
        assert program.line() == "1 while it ran"
        assert program.line() == "0 after it"
        assert program.exit_code() == 0
