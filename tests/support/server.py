"""A server of a test's own, which it may stop, kill, bring back and set up wrongly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from tests.support.database import Database
from tests.support.eventually import eventually_sync
from toril.embedded.binary import find_binary

_PATIENCE = 15.0


class OwnServer:
    """A Valkey in a directory, with an append-only file that is written through at each command.

    Args:
        directory: Of its data.
        options: More of its settings.

    Attributes:
        port: Where it listens; the same after it was brought back.
        url: The same, for clients.
    """

    def __init__(self, directory: Path, **options: str) -> None:
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._directory),
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "locale-collate": "C",
            **{name.replace("_", "-"): value for name, value in self._options.items()},
        }
        words = (word for name, value in settings.items() for word in (f"--{name}", value))
        self._process = subprocess.Popen(
            [str(find_binary()), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        eventually_sync(self._answers, _PATIENCE)

    def _answers(self) -> bool:
        password = self._options.get("requirepass", "")
        with Database(self.url.replace("//", f"//:{password}@") if password else self.url) as database:
            try:
                return bool(database.command("PING"))
            except (redis.ConnectionError, redis.BusyLoadingError):
                return False

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait(_PATIENCE)

    def freeze(self) -> None:
        """Let it stand still; connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
