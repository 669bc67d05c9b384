"""A server for the tests of a process, queues and workers with prefixes of their own, a look for leaks."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory, QueueFactory, WorkerFactory, WorkerStarter
from toril import AddOptions, Queue, QueueEvents, Worker
from toril.core.worker.queues import Queues
from toril.embedded import ensure_server
from toril.store.contract import Store
from toril.store.opening import open_store

# The queue that a test means when it names none.
NAME = "tasks"

# Threads that stay by design: the loop of `toril.sync`, and those that end together with an event loop.
_LASTING_THREADS = ("toril-portal", "asyncio_", "MainThread", "Dummy")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the server of this test process is."""
    with ensure_server(str(tmp_path_factory.mktemp("server"))) as server:
        yield server.url


@pytest.fixture
def prefix() -> str:
    """What the keys of this test begin with."""
    return f"test{next(_numbers)}"


@pytest.fixture
def clock() -> Clock:
    """A clock that this test controls."""
    return Clock()


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """The server's database as others see it."""
    with Database(url) as database:
        yield database


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[Store]:
    """A store on the controlled clock."""
    store = open_store(url, now_ms=clock.now_ms)
    yield store
    await store.close()


@pytest.fixture
async def new_queue(url: str, prefix: str) -> AsyncIterator[QueueFactory]:
    """Makes queues; they are closed after the test."""
    made: list[Queue] = []
    server = url

    def make(
        name: str = NAME,
        *,
        url: str | None = None,
        store: Store | None = None,
        default_job_options: AddOptions | None = None,
    ) -> Queue:
        place = None if store else url or server
        queue = Queue(name, url=place, store=store, prefix=prefix, default_job_options=default_job_options)
        made.append(queue)
        return queue

    yield make
    for queue in made:
        await queue.close()


@pytest.fixture
async def queue(new_queue: QueueFactory) -> Queue:
    """A queue, ready for use."""
    return await new_queue().ready()


@pytest.fixture
async def new_events(url: str, prefix: str) -> AsyncIterator[EventsFactory]:
    """Makes readers of events; they are closed after the test."""
    made: list[QueueEvents] = []
    server = url

    def make(name: str = NAME, *, url: str | None = None, **options: Any) -> QueueEvents:
        events = QueueEvents(name, url=url or server, prefix=prefix, **options)
        made.append(events)
        return events

    yield make
    for events in made:
        await events.close()


@pytest.fixture
async def new_worker(url: str, prefix: str) -> AsyncIterator[WorkerFactory]:
    """Makes workers; they are closed after the test, without mercy for what still runs."""
    made: list[Worker] = []
    server = url

    def make(
        handler: Any = None,
        queue: Queues = NAME,
        /,
        *,
        url: str | None = None,
        store: Store | None = None,
        **options: Any,
    ) -> Worker:
        place = None if store else url or server
        worker = Worker(queue, handler, url=place, store=store, prefix=prefix, **options)
        made.append(worker)
        return worker

    yield make
    for worker in made:
        await worker.close(force=True)


@pytest.fixture
def start_worker(new_worker: WorkerFactory) -> WorkerStarter:
    """Makes workers and starts them."""

    async def start(
        handler: Any,
        queue: Queues = NAME,
        /,
        *,
        url: str | None = None,
        store: Store | None = None,
        **options: Any,
    ) -> Worker:
        worker = new_worker(handler, queue, url=url, store=store, **options)
        await worker.start()
        return worker

    return start


@pytest.fixture
async def no_leaks(url: str) -> AsyncIterator[None]:
    """After the test there are no tasks, threads and connections that were not there before, and no keys.

    Folders that test what connects to the server apply it to all their tests.
    """
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    with Database(url) as database:
        database.empty()
        yield
        await eventually(lambda: _nothing_left(database, tasks, threads))
        stray = [key for key in database.command("KEYS", "*") if not key.startswith("test")]
        database.empty()
    assert stray == [], "keys outside of the test's prefix"


def _nothing_left(database: Database, tasks: set[asyncio.Task[Any]], threads: set[threading.Thread]) -> bool:
    ours = {asyncio.current_task()}
    assert asyncio.all_tasks() - tasks - ours == set(), "tasks are left"
    left = [thread.name for thread in set(threading.enumerate()) - threads]
    assert [name for name in left if not name.startswith(_LASTING_THREADS)] == [], "threads are left"
    assert [client["cmd"] for client in database.clients()] == [], "connections are left"
    return True
