"""A process as its supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

import msgspec

from toril.supervise.link import Link, Report
from toril.supervise.plan import Plan

_PROGRAM = "toril.supervise.process"
# Seconds until what a process told last has arrived.
_LAST_WORDS = 1.0
# One that ends within so many seconds from when it was ready has crashed, as if it could not start.
_EARLY = 5.0


class Child:
    """A running process.

    Attributes:
        ready: Whether its workers were started.
        drained: Whether it leaves because nothing is left to do.
        crashed_early: Whether it has ended soon after it was ready, and nobody had asked for that.
        leaving: Set as soon as it needs a successor: it leaves, or is gone.
        decided: Set when its start has succeeded or failed.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, link: Link, hear: Callable[[Report], None]
    ) -> None:
        self.ready: bool = False
        self.drained: bool = False
        self.crashed_early: bool = False
        self.leaving: asyncio.Event = asyncio.Event()
        self.decided: asyncio.Event = asyncio.Event()
        self._process = process
        self._link = link
        self._hear = hear
        self._told = False
        self._ready_at = 0.0
        self._life = asyncio.create_task(self._follow())

    @classmethod
    async def start(cls, plan: Plan, number: int, hear: Callable[[Report], None]) -> Child:
        """Start a process; it imports the user's code by itself.

        Args:
            plan: What to run, and how.
            number: Told in its logs.
            hear: Hears what the process reports.
        """
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as otherwise:
            otherwise.enter_context(ours)
            # In a session of its own: Ctrl-C in a terminal is for the supervisor, which tells its processes.
            process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-m",
                    _PROGRAM,
                    msgspec.json.encode(plan),
                    str(number),
                    str(theirs.fileno()),
                ),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
            otherwise.pop_all()
        return cls(process, await Link.on(ours), hear)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def _follow(self) -> int:
        reading = asyncio.create_task(self._read())
        code = await self._process.wait()
        # The end of the socket may be long in coming: a process that it has forked holds it as well.
        await asyncio.wait([reading], timeout=_LAST_WORDS)
        reading.cancel()
        await self._link.close()
        if self.ready and not self._told and not self.leaving.is_set():
            self.crashed_early = time.monotonic() - self._ready_at < _EARLY
        self.leaving.set()
        self.decided.set()
        return code

    async def _read(self) -> None:
        async for report in self._link.reports():
            self._heed(report)

    def _heed(self, report: Report) -> None:
        self._hear(report)
        if report.kind == "ready":
            self.ready = True
            self._ready_at = time.monotonic()
            self.decided.set()
        elif report.kind != "status":
            self.drained = report.kind == "drained"
            self.leaving.set()

    async def ended(self) -> int:
        """Wait for its end; answers its exit code, below 0 the signal that ended it."""
        return await asyncio.shield(self._life)

    def stop(self, *, now: bool = False) -> None:
        """Tell it to leave in order; one that does so already leaves at once if it is to be ``now``."""
        if self._told and not now:
            return
        # Two signals of the same number may be one to who receives them.
        number, self._told = (signal.SIGINT if self._told else signal.SIGTERM), True
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
