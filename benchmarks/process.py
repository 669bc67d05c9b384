"""An adapter as a process: started, steered by lines, and ended."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from benchmarks.orders import Order

ROOT = Path(__file__).resolve().parent.parent
_ADAPTERS = Path(__file__).resolve().parent / "adapters"
# Seconds for any answer; the longest measure takes a few.
_PATIENCE = 120.0
# Seconds for a process to end after its input did.
_GOODBYE = 5.0
# A result names every job, in one line.
_LONGEST_LINE = 64 * 1024 * 1024


class MeasureError(Exception):
    """A measure can't be made, or what it gave can't be trusted."""


def systems() -> dict[str, Path]:
    """The adapters there are, by the name of their system; toril first."""
    found = [
        path for path in _ADAPTERS.iterdir() if path.suffix in (".py", ".mjs") and path.stem != "__init__"
    ]
    return {path.stem: path for path in sorted(found, key=lambda path: (path.stem != "toril", path.stem))}


def command(adapter: Path) -> list[str]:
    """How to start an adapter.

    Raises:
        MeasureError: What it runs on is not installed.
    """
    if adapter.suffix == ".py":
        return [sys.executable, "-m", f"benchmarks.adapters.{adapter.stem}"]
    node = shutil.which("node")
    if node is None:
        raise MeasureError(f"{adapter.stem} needs Node 20 or newer; leave it out with --systems toril")
    return [node, str(adapter)]


class Child:
    """A running adapter."""

    def __init__(self, system: str, process: Process, errors: IO[bytes]) -> None:
        self.system = system
        self.versions: dict[str, str] = {}
        self._process = process
        self._errors = errors

    async def prepare(self, order: Order) -> None:
        """Let it connect and get warm.

        Raises:
            MeasureError: It can't.
        """
        self.versions = await self._ask({"prepare": asdict(order)}, "ready")

    async def go(self) -> dict[str, Any]:
        """Let it do what it prepared.

        Raises:
            MeasureError: It can't.
        """
        return await self._ask({"go": {}}, "result")

    async def _ask(self, message: Mapping[str, Any], answer: str) -> dict[str, Any]:
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
        return json.loads(line)[answer]

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
async def running(system: str) -> AsyncGenerator[Child]:
    """A process of its own for a system."""
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *command(systems()[system]), stdin=PIPE, stdout=PIPE, stderr=errors, cwd=ROOT, limit=_LONGEST_LINE
        )
        child = Child(system, process, errors)
        try:
            yield child
        finally:
            await child.end()
