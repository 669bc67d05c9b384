"""The one worker process: started, listened to, replaced when it dies, and closed in order."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from examples.shop.problem import Problem

# A worker process that dies more often than that would only die again.
_MOST_DEATHS = 3
# Seconds for it to finish the jobs that it runs.
_CLOSING = 20.0


class WorkerProcess:
    """Keeps one worker process running.

    Args:
        arguments: Its command line, after ``python -m``.
        log: What it writes to standard error goes there.
        told: Called with each event that it tells.

    Attributes:
        deaths: How often it ended without having been asked to.
    """

    def __init__(self, arguments: Sequence[str], log: Path, told: Callable[[dict[str, Any]], None]) -> None:
        self._command = (sys.executable, "-m", *arguments)
        self._log = log
        self._told = told
        self._process: Process | None = None
        self.deaths = 0

    async def keep(self) -> None:
        """Keep it running until cancelled; then close it.

        Raises:
            Problem: It dies again and again, or does not close in order.
        """
        try:
            while self.deaths < _MOST_DEATHS:
                process = self._process = await self._start()
                self._told({"event": "started", "pid": process.pid})
                await self._listen(process)
                self._told({"event": "died", "pid": process.pid, "code": await process.wait()})
                self.deaths += 1
            raise Problem(f"the worker process has died {self.deaths} times; see {self._log}")
        finally:
            await self._close()

    def kill(self) -> None:
        """What the kernel does when memory is short."""
        if self._process is not None:
            self._process.kill()

    async def _start(self) -> Process:
        with self._log.open("ab") as log:
            # In a session of its own, Ctrl-C reaches us only, and we close it in order.
            return await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True
            )

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            # The last words of one that is killed may be cut short.
            if line.endswith(b"\n"):
                self._told(json.loads(line))

    async def _close(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_CLOSING):
                await process.communicate()
        except TimeoutError:
            process.kill()
        code = await process.wait()
        if code != 0:
            raise Problem(f"the worker process did not close in order ({code}); see {self._log}")
