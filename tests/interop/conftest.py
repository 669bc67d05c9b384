"""A server, a prefix of its own for each test, and both sides on it."""

from __future__ import annotations

import fcntl
import subprocess
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar, Unpack, cast

import pytest

from tests.interop.node import FOLDER, QUEUE, NodePeer
from tests.interop.peer import PARENTS, Peer
from tests.interop.port import PortPeer, install_port
from tests.interop.scripted import scripted
from tests.support.database import Database
from toril import FlowProducer, Queue, Worker, WorkerOptions
from toril.core.worker.routes import Handlers
from toril.embedded import EmbeddedServer, ensure_server

P = TypeVar("P", bound=Peer)

# Seconds for npm to install the packages of a folder.
INSTALL_SECONDS = 55


class Peers:
    """Programs are slow to start, so one serves test after test, as long as none of them kills it."""

    def __init__(self) -> None:
        self._peers: dict[Callable[[], Peer], Peer] = {}

    @asynccontextmanager
    async def of(self, make: Callable[[], P], server: EmbeddedServer, prefix: str) -> AsyncGenerator[P]:
        """A program that `make` makes or has made, with nothing opened yet."""
        peer = self._peers.get(make)
        if peer is None or not peer.lives:
            if peer is not None:
                peer.end()
            peer = self._peers[make] = make()
        try:
            await peer.begin(server.socket_path, prefix)
            yield cast("P", peer)
            await peer.leave()
        except BaseException:
            # Nobody knows what state it is in.
            peer.end()
            raise

    def end(self) -> None:
        for peer in self._peers.values():
            peer.end()


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    kept = Peers()
    yield kept
    kept.end()


def install(folder: Path = FOLDER) -> None:
    """Install the pinned packages of a folder if they are missing; of several test processes, one does."""
    with one_at_a_time(folder):
        # npm writes this file last.
        if not (folder / "node_modules" / ".package-lock.json").is_file():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_SECONDS)


@contextmanager
def one_at_a_time(folder: Path) -> Generator[None]:
    """Nobody else installs anything for the tests of this folder meanwhile."""
    with (folder / "package.json").open() as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def packages() -> None:
    """BullMQ of the pinned versions."""
    install()


@pytest.fixture(scope="session")
def port_package() -> None:
    """BullMQ's Python port of the pinned version."""
    with one_at_a_time(FOLDER):
        install_port()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with ensure_server(str(tmp_path / "server")) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    return f"interop-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def node(packages: None, peers: Peers, server: EmbeddedServer, prefix: str) -> AsyncIterator[NodePeer]:
    """Node with BullMQ 6."""
    async with peers.of(NodePeer, server, prefix) as peer:
        yield peer


@pytest.fixture
async def node5(packages: None, peers: Peers, server: EmbeddedServer, prefix: str) -> AsyncIterator[NodePeer]:
    """Node with BullMQ 5."""
    async with peers.of(version_5, server, prefix) as peer:
        yield peer


def version_5() -> NodePeer:
    return NodePeer("bullmq5")


@pytest.fixture
async def port(
    port_package: None, peers: Peers, server: EmbeddedServer, prefix: str
) -> AsyncIterator[PortPeer]:
    """The Python port of BullMQ."""
    async with peers.of(PortPeer, server, prefix) as peer:
        yield peer


@pytest.fixture
async def queue(server: EmbeddedServer, prefix: str) -> AsyncIterator[Queue]:
    """toril's side of the queue."""
    async with Queue(QUEUE, url=server.url, prefix=prefix) as opened:
        yield opened


@pytest.fixture
async def parents(server: EmbeddedServer, prefix: str) -> AsyncIterator[Queue]:
    """toril's side of the queue of the parents."""
    async with Queue(PARENTS, url=server.url, prefix=prefix) as opened:
        yield opened


@pytest.fixture
async def flows(server: EmbeddedServer, prefix: str) -> AsyncIterator[FlowProducer]:
    """toril's means to add trees."""
    async with FlowProducer(url=server.url, prefix=prefix) as producer:
        yield producer


@pytest.fixture
def database(server: EmbeddedServer) -> Iterator[Database]:
    """What both sides have stored, as nobody in particular reads it."""
    with Database(server.url) as opened:
        yield opened


class Working(Protocol):
    """Starts a worker of toril, which is closed at the end of the context."""

    def __call__(
        self,
        handler: Handlers = ...,
        *,
        queue: str = ...,
        prefix: str | None = None,
        **options: Unpack[WorkerOptions],
    ) -> AbstractAsyncContextManager[Worker]: ...


@pytest.fixture
def working(server: EmbeddedServer, prefix: str) -> Working:
    own = prefix

    @asynccontextmanager
    async def work(
        handler: Handlers = scripted,
        *,
        queue: str = QUEUE,
        prefix: str | None = None,
        **options: Unpack[WorkerOptions],
    ) -> AsyncGenerator[Worker]:
        # Looking by itself now and then would hide that a worker was not woken.
        options.setdefault("drain_delay", 60)
        async with Worker(queue, handler, url=server.url, prefix=prefix or own, **options) as worker:
            await worker.start()
            yield worker

    return work
