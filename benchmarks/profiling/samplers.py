"""Programs that look at a process again and again while it works: py-spy and perf."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

from benchmarks.process import MeasureError

# Looks a second; odd, so that they don't fall in step with anything.
_SPY_RATE, _PERF_RATE = 199, 1999
# Seconds for a program to begin or to write down what it saw.
_PATIENCE = 60.0
# py-spy says this when it has begun.
_BEGUN = "Sampling process"
_MOST_SYMBOLS = 60
# Seconds between looks whether py-spy has begun, and bytes that are read of what it says.
_LOOK, _LONGEST = 0.02, 100_000


@asynccontextmanager
async def spied(pid: int, picture: Path) -> AsyncGenerator[None]:
    """Draw a flame graph of a Python process.

    Raises:
        MeasureError: It can't be looked at.
    """
    program = Path(sys.executable).with_name("py-spy")
    # Whoever holds the interpreter: a thread that waits would else look as if it worked.
    words = ["record", "--gil", "--rate", str(_SPY_RATE), "--pid", str(pid), "--output", str(picture)]
    async with _running([str(program), *words]) as (process, said):
        async with asyncio.timeout(_PATIENCE):
            while _BEGUN not in _all_of(said):
                if process.returncode is not None:
                    raise MeasureError(f"py-spy can't look: {_all_of(said)}")
                await asyncio.sleep(_LOOK)
        yield


@asynccontextmanager
async def watched(pid: int, folder: Path) -> AsyncGenerator[None]:
    """Write a table of the hottest functions of a process that is not Python, if perf can look at it."""
    table, data = folder / "server.txt", folder / "perf.data"
    program = shutil.which("perf")
    if program is None:
        table.write_text("perf is not installed\n")
        yield
        return
    # The clock of the processor's time works where its counters don't, as on most virtual machines.
    words = ["record", "-q", "-e", "cpu-clock", "-F", str(_PERF_RATE), "-p", str(pid), "-o", str(data)]
    async with _running([program, *words]) as (_, said):
        yield
    table.write_text(await _symbols(program, data) or f"perf saw nothing: {_all_of(said)}\n")
    data.unlink(missing_ok=True)


@asynccontextmanager
async def _running(command: Sequence[str]) -> AsyncGenerator[tuple[Process, IO[bytes]]]:
    """A program that looks until it is interrupted, and what it says, in a file: a pipe would get full."""
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=STDOUT)
        try:
            yield process, said
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
            async with asyncio.timeout(_PATIENCE):
                await process.wait()


def _all_of(said: IO[bytes]) -> str:
    # By its place in the file, since the place where the program writes is not to be moved.
    return os.pread(said.fileno(), _LONGEST, 0).decode(errors="replace").strip()


async def _symbols(program: str, data: Path) -> str:
    words = ["report", "-q", "--stdio", "--no-children", "--sort", "dso,symbol", "-i", str(data)]
    process = await asyncio.create_subprocess_exec(program, *words, stdout=PIPE, stderr=DEVNULL)
    report, _ = await process.communicate()
    lines = (line.rstrip(" -") for line in report.decode(errors="replace").splitlines())
    return "".join(f"{line}\n" for line in [line for line in lines if line][:_MOST_SYMBOLS])
