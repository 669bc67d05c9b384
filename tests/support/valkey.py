"""Servers of a test's own, to be killed, frozen and joined: alone, as a cluster, as sentinels."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from redis import exceptions as redis_errors

from tests.support.database import Database
from tests.support.eventually import eventually_sync
from toril.embedded.binary import find_binary

HOST = "127.0.0.1"

# Seconds until a server must answer after its start, and until it must have ended after being asked to.
_START, _END = 10.0, 10.0
# Someone else may take a port between our look and the server's start.
_TRIES = 5

# What no server of a test needs. Its snapshots would cost time at its end.
_PLAIN = ("--save", "", "--appendonly", "no", "--loglevel", "notice", "--bind", HOST)


@dataclass(frozen=True, slots=True)
class Program:
    """A server program.

    Attributes:
        id: What tests that use it are called.
    """

    id: str
    path: str


def programs() -> list[Program]:
    """The embedded Valkey, and another server if ``TORIL_TEST_SERVER`` names its program."""
    found = [Program("valkey", str(find_binary()))]
    other = os.environ.get("TORIL_TEST_SERVER")
    if other:
        found.append(Program(Path(other).name, other))
    return found


def embedded_program() -> Program:
    """The Valkey that comes with the embedded server."""
    return programs()[0]


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Valkey:
    """One server process on a port of its own, in a directory of its own.

    Args:
        options: More words for its command line.
        program: ``None`` for the embedded Valkey.
        config: Text of a configuration file, which sentinels need.
        login: ``(user, password)`` or nothing, for commands of the test itself.

    Attributes:
        port: Stays the same when the server is started again.
        bus_port: On which nodes of a cluster talk.
        home: Its directory, short enough for a socket.
    """

    def __init__(
        self,
        *options: str,
        program: Program | None = None,
        config: str | None = None,
        login: Sequence[str] = (),
    ) -> None:
        self._program = program or embedded_program()
        self._options = options
        self._config = config
        self._login = ":".join(quote(word, safe="") for word in login)
        self.bus_port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.home = Path(tempfile.mkdtemp(prefix="toril-"))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def place(self) -> str:
        """Host and port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Its URL, without user and password."""
        return f"redis://{self.place}"

    # --- life ---

    def start(self) -> Self:
        """Start it, again on the port it had before, and wait until it answers."""
        if self.port:
            self._launch()
            self._wait_until_up()
            return self
        for _ in range(_TRIES):
            self.port = free_port()
            self._launch()
            if self._wait_until_up(may_end=True):
                return self
        raise AssertionError(f"no server would start:\n{self.log()}")

    def _launch(self) -> None:
        words = [self._program.path]
        if self._config is not None:
            path = self.home / "server.conf"
            if not path.exists():
                path.write_text(self._config)
            words.append(str(path))
        words += ["--port", str(self.port), "--dir", str(self.home), *_plain(self._options), *self._options]
        if "--cluster-enabled" in words:
            # The usual port of the bus, 10,000 above the other, may be above all ports.
            self.bus_port = self.bus_port or free_port()
            words += ["--cluster-port", str(self.bus_port)]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _wait_until_up(self, *, may_end: bool = False) -> bool:
        def up() -> bool:
            assert self._process is not None
            if self._process.poll() is not None:
                return True
            try:
                return bool(self.command("PING"))
            except redis_errors.RedisError:
                return False

        eventually_sync(up, _START)
        ended = self._process is None or self._process.returncode is not None
        if ended and not may_end:
            raise AssertionError(f"the server ended at its start:\n{self.log()}")
        return not ended

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as if its machine had lost power."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Keep it from doing anything; its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after ``freeze``."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it and remove its directory."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        self._signal(number)
        self._signal(signal.SIGCONT)
        self._process.wait(_END)
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        # An unreaped child keeps its id, so this can't hit a stranger.
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, number)

    # --- looking ---

    def database(self, number: int = 0) -> Database:
        """One of its databases, by raw commands."""
        login = f"{self._login}@" if self._login else ""
        return Database(f"redis://{login}{self.place}/{number}")

    def command(self, *words: str | int | float) -> Any:
        """The answer to a command, through a connection of its own."""
        with self.database() as database:
            return database.command(*words)

    def keys(self, db: int = 0) -> list[str]:
        """All keys of a database, in order."""
        with self.database(db) as database:
            return sorted(database.command("KEYS", "*"))

    def clients(self) -> list[str]:
        """What the clients did last, but for sentinels, other servers and this object."""
        with self.database() as database:
            found = [client for client in database.clients() if set(client["flags"]) <= set("NbU")]
        return [client["cmd"] for client in found if not client["name"].startswith("sentinel-")]

    def log(self) -> str:
        """What it has said."""
        return (self.home / "log").read_text(errors="replace")


def _plain(options: Sequence[str]) -> Sequence[str]:
    return () if "--sentinel" in options else _PLAIN


class Cluster:
    """Nodes that share the slots evenly; each is a primary.

    Attributes:
        nodes: The servers, in the order of their slots.
    """

    def __init__(self, count: int, program: Program | None = None) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "3000")
        self.nodes = [Valkey(*options, program=program) for _ in range(count)]

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.start()
            self._join()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def _join(self) -> None:
        share = 16384 // len(self.nodes)
        for number, node in enumerate(self.nodes):
            last = 16383 if node is self.nodes[-1] else (number + 1) * share - 1
            node.command("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        first = self.nodes[0]
        for node in self.nodes[1:]:
            node.command("CLUSTER", "MEET", HOST, first.port, first.bus_port)
        for node in self.nodes:
            eventually_sync(partial(self._knows_all, node), 20.0)

    def _knows_all(self, node: Valkey) -> bool:
        facts = str(node.command("CLUSTER", "INFO"))
        return "cluster_state:ok" in facts and f"cluster_size:{len(self.nodes)}" in facts

    @property
    def url(self) -> str:
        """As toril takes it."""
        return "redis+cluster://" + ",".join(node.place for node in self.nodes)

    def owner(self, key: str) -> Valkey:
        """The node that a key belongs to."""
        slot = int(self.nodes[0].command("CLUSTER", "KEYSLOT", key))
        return self.nodes[min(slot // (16384 // len(self.nodes)), len(self.nodes) - 1)]

    def remove(self) -> None:
        """End all nodes and remove their directories."""
        for node in self.nodes:
            node.remove()
