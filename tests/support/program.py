"""Another Python process, which a test talks to and does harm to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from types import TracebackType
from typing import Self

# Seconds for a process to do what it is asked.
_PATIENCE = 15.0


class Program:
    """A running program.

    Args:
        source: Its text.
        arguments: What it finds in ``sys.argv``.
    """

    def __init__(self, source: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", source, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(_PATIENCE)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def line(self) -> str:
        """The next line that it prints; blocks until there is one."""
        assert self._process.stdout
        line = self._process.stdout.readline().rstrip("\n")
        assert line, self._complaints()
        return line

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it so that it can do nothing about it."""
        self._process.kill()
        assert self._process.wait(_PATIENCE) == -signal.SIGKILL

    def exit_code(self, within: float = _PATIENCE) -> int:
        """Wait for its end."""
        code = self._process.wait(within)
        assert code == 0, self._complaints()
        return code

    def _complaints(self) -> str:
        assert self._process.stderr
        if self._process.poll() is None:
            self._process.kill()
        return self._process.stderr.read()
