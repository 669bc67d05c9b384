"""The server that all systems are measured on, and what it says about itself."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import hiredis

from benchmarks.process import MeasureError
from toril.embedded import ensure_server

# Seconds for the server to answer or to start.
_PATIENCE = 30.0
# What the embedded server is started with, for a server of another kind to be compared with it.
_OPTIONS = ("--port", "0", "--save", "", "--appendonly", "yes", "--appendfsync", "everysec")

# What the runner itself asks while others are measured.
_OWN_COMMANDS = {"info"}


class Client:
    """A blocking connection, enough to ask a server about itself.

    Args:
        url: ``unix:///path?db=0`` or ``redis://[user:password@]host[:port][/db]``.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "unix":
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(_PATIENCE)
            self._socket.connect(unquote(parts.path))
            database = parse_qs(parts.query).get("db", ["0"])[0]
        elif parts.scheme == "redis":
            place = (parts.hostname or "localhost", parts.port or 6379)
            self._socket = socket.create_connection(place, _PATIENCE)
            database = parts.path.strip("/") or "0"
        else:
            raise MeasureError(f"can't measure on {parts.scheme}://, only on unix:// and redis://")
        self._reader = hiredis.Reader()
        if parts.password:
            self.ask("AUTH", unquote(parts.username or "default"), unquote(parts.password))
        self.ask("SELECT", database)

    def ask(self, *words: str) -> Any:
        """Run a command.

        Raises:
            MeasureError: The server refuses, or is gone.
        """
        sent = [word.encode() for word in words]
        head = b"*%d\r\n" % len(sent)
        self._socket.sendall(head + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in sent))
        while (reply := self._reader.gets()) is False:
            received = self._socket.recv(65536)
            if not received:
                raise MeasureError("the server closed the connection")
            self._reader.feed(received)
        if isinstance(reply, hiredis.ReplyError):
            raise MeasureError(f"{words[0]}: {reply}")
        return reply

    def info(self, section: str) -> dict[str, str]:
        """A section of the server's report."""
        lines = self.ask("INFO", section).decode().splitlines()
        return {name: value for name, colon, value in (line.partition(":") for line in lines) if colon}

    def close(self) -> None:
        self._socket.close()


class Server:
    """The server under test.

    Attributes:
        url: Where all systems connect to.
    """

    def __init__(self, url: str, *, private: bool) -> None:
        self.url = url
        self._client = Client(url)
        self._private = private
        if private:
            # A rewrite in the midst of a measure would fall on whoever is measured just then.
            self._client.ask("CONFIG", "SET", "auto-aof-rewrite-percentage", "0")
        elif self._client.ask("DBSIZE"):
            raise MeasureError("the database is not empty, and would be flushed; give an empty one")

    def reset(self) -> None:
        """Empty it, so that every measure begins on the same server."""
        if not self._private:
            self._client.ask("FLUSHDB")
            return
        self._client.ask("FLUSHALL", "SYNC")
        if self._client.info("persistence").get("aof_enabled") == "1":
            self._client.ask("BGREWRITEAOF")
            self._wait_for_rewrite()

    def _wait_for_rewrite(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            state = self._client.info("persistence")
            if state["aof_rewrite_in_progress"] == "0" and state["aof_rewrite_scheduled"] == "0":
                return
            time.sleep(0.005)
        raise MeasureError("the server does not get done with its append-only file")

    def cpu_seconds(self) -> float:
        """CPU time it has used so far."""
        used = self._client.info("cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def commands(self) -> dict[str, int]:
        """How often each command was called so far, by scripts, too; but for those of the runner itself."""
        stats = self._client.info("commandstats")
        calls = {
            name.removeprefix("cmdstat_"): int(value.partition("calls=")[2].partition(",")[0])
            for name, value in stats.items()
        }
        return {name: count for name, count in calls.items() if name not in _OWN_COMMANDS}

    def memory(self) -> dict[str, int]:
        """Bytes in use: by all, and by the data alone."""
        used = self._client.info("memory")
        return {"all": int(used["used_memory"]), "data": int(used["used_memory_dataset"])}

    def ask(self, *words: str) -> Any:
        """Run a command of one's own."""
        return self._client.ask(*words)

    def info(self, section: str) -> dict[str, str]:
        """A section of its report."""
        return self._client.info(section)

    def describe(self) -> str:
        """Its name and version, how it is reached, and whether it writes a file."""
        about = self._client.info("server")
        name = about.get("server_name", "redis").capitalize()
        version = about.get("valkey_version") or about.get("redis_version") or "?"
        way = "unix socket" if self.url.startswith("unix:") else "TCP"
        file = self._client.info("persistence").get("aof_enabled") == "1"
        allocator = self._client.info("memory").get("mem_allocator", "?")
        return f"{name} {version}, {allocator}, {way}, append-only file {'on' if file else 'off'}"

    def close(self) -> None:
        self._client.close()


@contextmanager
def serving(choice: str) -> Generator[Server]:
    """The server that was chosen: ``embedded``, a program to be started, or a URL with an empty database.

    Raises:
        MeasureError: It can't be had.
    """
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        if choice == "embedded":
            with ensure_server(folder) as embedded, _client_of(embedded.url, private=True) as server:
                yield server
        elif "://" in choice:
            with _client_of(choice, private=False) as server:
                yield server
        else:
            with started([choice], Path(folder)) as url, _client_of(url, private=True) as server:
                yield server


@contextmanager
def _client_of(url: str, *, private: bool) -> Generator[Server]:
    try:
        server = Server(url, private=private)
    except OSError as error:
        raise MeasureError(f"no server there: {error}") from error
    try:
        yield server
    finally:
        if not private:
            server.reset()
        server.close()


@contextmanager
def started(command: Sequence[str], folder: Path) -> Generator[str]:
    """A server that a command starts, with the options of the embedded one; gives its URL.

    Raises:
        MeasureError: It does not start.
    """
    place = folder / "server.sock"
    try:
        process = subprocess.Popen(
            [*command, *_OPTIONS, "--dir", str(folder), "--unixsocket", str(place)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    except OSError as error:
        raise MeasureError(f"can't start {command[0]}: {error}") from error
    url = f"unix://{quote(str(place))}?db=0"
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _listens(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise MeasureError(f"{command[0]} does not start (exit code {process.returncode})")
            time.sleep(0.01)
        yield url
    finally:
        process.terminate()
        process.wait()


def _listens(url: str) -> bool:
    try:
        Client(url).close()
    except OSError:
        return False
    return True
