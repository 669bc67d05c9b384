"""An adapter as a process: started, steered by lines, and ended."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from benchmarks.child import CannotError
from benchmarks.orders import Order
from benchmarks.systems import ROOT, System

# Seconds for any answer; a million jobs take minutes.
_PATIENCE = 1200.0
# Seconds for a process to end after its input did.
_GOODBYE = 5.0
# A result names every job, in one line.
_LONGEST_LINE = 64 * 1024 * 1024


class MeasureError(Exception):
    """A measure can't be made, or what it gave can't be trusted."""


class Child:
    """A running adapter."""

    def __init__(self, system: str, process: Process, errors: IO[bytes]) -> None:
        self.system = system
        self._process = process
        self._errors = errors

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def prepare(self, order: Order) -> None:
        """Let it connect and get warm.

        Raises:
            CannotError: The system has no such thing.
            MeasureError: It should, and can't.
        """
        answer = await self._ask({"prepare": asdict(order)})
        if "cannot" in answer:
            raise CannotError(answer["cannot"])

    async def versions(self) -> dict[str, str]:
        """Of what it is made of, by name."""
        return (await self._ask({"versions": {}}))["versions"]

    async def go(self) -> dict[str, Any]:
        """Let it do what it prepared.

        Raises:
            MeasureError: It can't.
        """
        return (await self._ask({"go": {}}))["result"]

    def resident_mb(self, *, most: bool = False) -> float:
        """Memory of the process, as the system counts it: now, or the most it ever had."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            raise CannotError("the memory of a process is known on Linux only")
        field = "VmHWM" if most else "VmRSS"
        found = re.search(rf"{field}:\s+(\d+) kB", status.read_text())
        if found is None:
            raise self._trouble("it has ended")
        return int(found[1]) / 1024

    async def _ask(self, message: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        try:
            await self._process.stdin.drain()
            async with asyncio.timeout(_PATIENCE):
                line = await self._process.stdout.readline()
        except (ConnectionError, TimeoutError) as error:
            raise self._trouble(f"no answer to {next(iter(message))}: {error!r}") from error
        if not line:
            raise self._trouble(f"it ended, instead of an answer to {next(iter(message))}")
        return json.loads(line)

    def _trouble(self, what: str) -> MeasureError:
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        return MeasureError(f"{self.system}: {what}" + (f"\nit said:\n{said[-4000:]}" if said else ""))

    async def end(self) -> None:
        """Hang up, and wait until it is gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_GOODBYE):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running(system: System) -> AsyncGenerator[Child]:
    """A process of its own for a system.

    Raises:
        MissingError: It is not installed.
    """
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *system.command(), stdin=PIPE, stdout=PIPE, stderr=errors, cwd=ROOT, limit=_LONGEST_LINE
        )
        child = Child(system.name, process, errors)
        try:
            yield child
        finally:
            await child.end()
