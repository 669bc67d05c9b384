"""The servers of this folder, and a look for what a test leaves behind on them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.servers.places import KINDS, Place, Places
from tests.support.eventually import eventually
from tests.support.valkey import Program, programs

# Threads that stay by design; the last is the default executor of an event loop.
_LASTING_THREADS = ("toril-portal", "asyncio_", "MainThread", "Dummy", "tls-front")


@pytest.fixture(scope="session")
def all_places() -> Iterator[Callable[[Program], Places]]:
    """The places of each program."""
    with ExitStack() as stack:
        found: dict[str, Places] = {}

        def of(program: Program) -> Places:
            if program.id not in found:
                found[program.id] = Places(program, stack)
            return found[program.id]

        yield of


@pytest.fixture(params=programs(), ids=lambda program: program.id)
def program(request: pytest.FixtureRequest) -> Program:
    """Each server program of this machine."""
    return request.param


@pytest.fixture
def places(program: Program, all_places: Callable[[Program], Places]) -> Places:
    """Servers of this program."""
    return all_places(program)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, places: Places) -> Place:
    """Each kind of server and connection."""
    return places.find(request.param)


@pytest.fixture
def url(place: Place) -> str:
    """Where the queues and workers of a test are, unless it says otherwise."""
    return place.url


@pytest.fixture
def prefix(prefix: str, place: Place) -> str:
    """With a hash tag where one is needed."""
    return f"{{{prefix}}}" if place.braces else prefix


@pytest.fixture
async def no_leaks(place: Place) -> AsyncIterator[None]:
    """After the test there are no tasks, threads, connections and strange keys that were not there before."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    # Tests of other kinds leave keys with prefixes of their own on the servers that all share.
    before = set(place.stored_keys())
    yield
    await eventually(lambda: _nothing_left(place, tasks, threads))
    stray = set(place.stored_keys()) - before
    assert [key for key in stray if not key.lstrip("{").startswith(("test", "bull:"))] == []


def _nothing_left(place: Place, tasks: set[asyncio.Task[Any]], threads: set[threading.Thread]) -> bool:
    assert asyncio.all_tasks() - tasks - {asyncio.current_task()} == set(), "tasks are left"
    left = [thread.name for thread in set(threading.enumerate()) - threads]
    assert [name for name in left if not name.startswith(_LASTING_THREADS)] == [], "threads are left"
    for server in place.servers:
        assert server.clients() == [], "connections are left"
    return True
