"""A server, a prefix of its own for each test, and both sides on it."""

from __future__ import annotations

import fcntl
import subprocess
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, Unpack

import pytest

from tests.interop.node import FOLDER, QUEUE, NodePeer
from tests.interop.scripted import scripted
from toril import Queue, Worker, WorkerOptions
from toril.core.worker.routes import Handlers
from toril.embedded import EmbeddedServer, ensure_server

# Seconds for npm to install the packages of a folder.
INSTALL_SECONDS = 55


class Peers:
    """Node is slow to start, so one process serves test after test, as long as none of them kills it."""

    def __init__(self) -> None:
        self._peer: NodePeer | None = None

    def get(self) -> NodePeer:
        if self._peer is None or not self._peer.lives:
            self.end()
            self._peer = NodePeer()
        return self._peer

    def end(self) -> None:
        if self._peer is not None:
            self._peer.end()


@pytest.fixture(scope="session")
def peers() -> Iterator[Peers]:
    install()
    kept = Peers()
    yield kept
    kept.end()


def install(folder: Path = FOLDER) -> None:
    """Install the pinned packages of a folder if they are missing; of several test processes, one does."""
    with (folder / "package.json").open() as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        # npm writes this file last.
        if not (folder / "node_modules" / ".package-lock.json").is_file():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=folder, check=True, timeout=INSTALL_SECONDS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with ensure_server(str(tmp_path / "server")) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    return f"interop-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def node(peers: Peers, server: EmbeddedServer, prefix: str) -> AsyncIterator[NodePeer]:
    """Node, with nothing opened yet."""
    peer = peers.get()
    try:
        await peer.begin(server.socket_path, prefix)
        yield peer
        await peer.leave()
    except BaseException:
        # Nobody knows what state it is in.
        peer.end()
        raise


@pytest.fixture
async def queue(server: EmbeddedServer, prefix: str) -> AsyncIterator[Queue]:
    """toril's side of the queue."""
    async with Queue(QUEUE, url=server.url, prefix=prefix) as opened:
        yield opened


class Working(Protocol):
    """Starts a worker of toril, which is closed at the end of the context."""

    def __call__(
        self, handler: Handlers = ..., *, queue: str = ..., **options: Unpack[WorkerOptions]
    ) -> AbstractAsyncContextManager[Worker]: ...


@pytest.fixture
def working(server: EmbeddedServer, prefix: str) -> Working:
    @asynccontextmanager
    async def work(
        handler: Handlers = scripted, *, queue: str = QUEUE, **options: Unpack[WorkerOptions]
    ) -> AsyncGenerator[Worker]:
        # Looking by itself now and then would hide that a worker was not woken.
        options.setdefault("drain_delay", 60)
        async with Worker(queue, handler, url=server.url, prefix=prefix, **options) as worker:
            await worker.start()
            yield worker

    return work
