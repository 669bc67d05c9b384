"""Another process that uses an embedded server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from operator import methodcaller
from pathlib import Path
from types import TracebackType
from typing import Self, cast
from urllib.parse import unquote, urlsplit

import redis

# Seconds for a process to do what it is asked.
PATIENCE = 30.0

SHARE = """
import sys
from toril.embedded import ensure_server
server = ensure_server(sys.argv[1])
print(server.url, flush=True)
sys.stdin.read()
"""


class Neighbour:
    """A Python process that has a share in the server of a home and waits for its end."""

    def __init__(self, home: Path, program: str = SHARE) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.pid = self.process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def line(self) -> str:
        """The next line that the process prints; its first is the URL of the server."""
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line, self.complaints()
        return line

    def leave(self) -> int:
        """Let the process come to its end; gives its exit code."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def complaints(self) -> str:
        """What the process wrote to its standard error."""
        assert self.process.stderr
        return self.process.stderr.read()

    def kill(self) -> None:
        """End the process so that it can do nothing about it."""
        self.process.kill()
        assert self.process.wait(PATIENCE) == -signal.SIGKILL


def run_python(program: str, *arguments: object, **environment: str) -> str:
    """Run a program to its end; gives what it printed, stripped."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def connect(url: str) -> redis.Redis:
    """A client of the server; close it, or use it as a context manager."""
    return redis.Redis(unix_socket_path=unquote(urlsplit(url).path), decode_responses=True)


def call(client: redis.Redis, *words: str | int) -> object:
    """The reply to a command for which the client's own method is not fully typed."""
    return methodcaller("execute_command", *words)(client)


def write(url: str, key: str, value: str) -> None:
    with connect(url) as client:
        assert client.set(key, value)


def read(url: str, key: str) -> str | None:
    with connect(url) as client:
        found = client.get(key)
        assert found is None or isinstance(found, str)
        return found


def process_id(url: str) -> int:
    """The id of the server's process, asked of the server itself."""
    with connect(url) as client:
        return int(cast("dict[str, int]", call(client, "INFO", "server"))["process_id"])
