"""A running ``toril worker``: what it logs, what it answers, who belongs to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import psutil

from tests.support.eventually import eventually_sync

# Seconds; several processes take their time to start on a machine that does other things too.
PATIENCE = 40.0

#: The target of most tests. A handler does what its job's data say.
SHOP = """
import asyncio, os, time
from toril import Worker

async def work(job):
    do = job.data or {}
    for _ in range(do.get("leak", 0)):
        LEAK.append(bytearray(os.urandom(1024)) * 1024)
    while do.get("until") and not os.path.exists(do["until"]):
        await asyncio.sleep(0.01)
    await asyncio.sleep(do.get("seconds", 0))
    if do.get("exit"):
        os._exit(do["exit"])
    if do.get("fail"):
        raise ValueError("no such address")
    return os.getpid()

LEAK = []

def worker(queue, work=work, **options):
    return Worker(queue, work, prefix=os.environ["PREFIX"], lock_duration=1, stalled_interval=0.5, **options)

class Shop:
    def workers(self):
        return [worker("mail", concurrency=2), worker("images")]

shop = Shop()
"""


class Service:
    """A running ``toril worker``.

    Args:
        folder: Where it runs; modules are found there.
        words: What is said behind ``toril worker``; logs are JSON.
        env: Added to its environment.
    """

    def __init__(self, folder: Path, *words: str, env: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "toril.cli", "worker", *words, "--log-format", "json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
        )
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, name="service")
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in [*self.children(), psutil.Process(self.process.pid)] if self.alive else []:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def children(self) -> list[psutil.Process]:
        """The processes that it keeps."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def eventually(self, check: Callable[[], Any]) -> Any:
        """Wait until something is so; what was logged is told if it never is."""
        try:
            return eventually_sync(check, PATIENCE)
        except AssertionError as error:
            raise AssertionError("\n".join([str(error), *self.lines])) from error

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        return [one for one in self.log() if one["message"] == message]

    def log(self) -> list[dict[str, Any]]:
        """All log lines, but for those that are torn: a process was killed, or several wrote at once."""
        found: list[dict[str, Any]] = []
        for line in self.lines.copy():
            with suppress(msgspec.DecodeError):
                found.append(msgspec.json.decode(line, type=dict[str, Any]))
        return found

    def wait_for(self, message: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait until this was logged so often."""
        return self.eventually(lambda: found if len(found := self.logged(message)) >= times else None)

    def started(self) -> dict[str, Any]:
        """Wait until it works; answers what it says then."""
        return self.wait_for("started")[0]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for its end."""
        self.process.wait(PATIENCE)
        self._reading.join(PATIENCE)
        return self.process.returncode

    def page(self, path: str) -> tuple[int, str]:
        """What its health server answers."""
        try:
            with urllib.request.urlopen(self.started()["health"] + path, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
