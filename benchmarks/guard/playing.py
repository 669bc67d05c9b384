"""Lets a process play scenarios, and someone count while it does."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.guard.budgets import Count
from benchmarks.process import MeasureError
from benchmarks.systems import ROOT


@dataclass(frozen=True, slots=True)
class Played:
    """What a scenario came to.

    Attributes:
        units: How many jobs it was, or rounds.
        counts: What the process counted of itself.
    """

    scenario: str
    units: int
    counts: dict[str, float]

    def share(self, basis: str, measure: str, total: float) -> Count:
        """A total as that of one unit."""
        return Count(basis, self.scenario, measure, total / self.units)


class Watch(Protocol):
    """Who counts; the process that plays, whose id is given, stands still meanwhile."""

    def begins(self, pid: int, /) -> None: ...
    def ends(self, pid: int, played: Played, /) -> None: ...


async def play(
    url: str, meter: str, names: Sequence[str], watch: Watch, *, under: Sequence[str] = ()
) -> None:
    """Let a process play scenarios.

    Args:
        meter: By which the process counts itself.
        under: A command that is put before its own.

    Raises:
        MeasureError: It did not play them to their end.
    """
    words = [*under, sys.executable, "-m", "benchmarks.guard.program", url, meter, *names]
    # The order of sets depends on hashes, which differ from process to process by default.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with tempfile.TemporaryFile() as errors:
        process = await create_subprocess_exec(
            *words, stdin=PIPE, stdout=PIPE, stderr=errors, cwd=ROOT, env=environment
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                _tell(watch, process.pid, json.loads(line))
                process.stdin.write(b"\n")
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        if code:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            raise MeasureError(f"the scenarios were not played to their end (exit code {code})\n{said}")


def _tell(watch: Watch, pid: int, message: dict[str, Any]) -> None:
    if "begins" in message:
        watch.begins(pid)
    else:
        watch.ends(pid, Played(message["ends"], message["units"], message["counts"]))
