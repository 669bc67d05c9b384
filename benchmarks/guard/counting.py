"""Takes all counts of the scenarios: in several passes, since one count would disturb another."""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.guard import callgrind
from benchmarks.guard.budgets import ANYWHERE, Count
from benchmarks.guard.playing import Played, play
from benchmarks.guard.scenarios import SCENARIOS
from benchmarks.guard.wire import Traffic, tapped
from benchmarks.server import Client, Server, serving, started
from toril.embedded.binary import find_binary

#: What the steps of Python depend on, and what instructions do.
PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"
BUILD = f"Python {platform.python_version()}, {platform.python_compiler()}, {platform.machine()}"

_SCRIPTS = ("evalsha", "eval")
_TIMED = {scenario.name for scenario in SCENARIOS if scenario.timed}


class _Outside:
    """What the server and the wire tell of each scenario."""

    def __init__(self, server: Server, traffic: Traffic) -> None:
        self._server = server
        self._traffic = traffic
        self._before: dict[str, int] = {}
        self._commands: dict[str, int] = {}
        self.counts: list[Count] = []

    def begins(self, _pid: int) -> None:
        self._before, self._commands = self._traffic.totals(), self._server.commands()

    def ends(self, _pid: int, played: Played) -> None:
        calls = {name: n - self._commands.get(name, 0) for name, n in self._server.commands().items()}
        totals = {"script calls": sum(calls.get(name, 0) for name in _SCRIPTS)}
        totals |= {name: n - self._before[name] for name, n in self._traffic.totals().items()}
        self.counts += [played.share(ANYWHERE, measure, total) for measure, total in totals.items()]
        parts = {name: n / played.units for name, n in sorted(calls.items()) if n}
        self.counts.append(Count(ANYWHERE, played.scenario, "commands", sum(parts.values()), parts))
        if played.scenario not in _TIMED:
            self.counts += _own(played)


class _Inside:
    """What the process counts of itself."""

    def __init__(self) -> None:
        self.counts: list[Count] = []

    def begins(self, _pid: int) -> None:
        pass

    def ends(self, _pid: int, played: Played) -> None:
        self.counts += _own(played)


def _own(played: Played) -> list[Count]:
    """What a process counted of itself. Its peak is that of the whole, not of one job."""
    return [
        Count(PYTHON, played.scenario, measure, total)
        if measure.startswith("peak")
        else played.share(PYTHON, measure, total)
        for measure, total in played.counts.items()
    ]


class _Instructions:
    """Instructions of a program under callgrind.

    Args:
        pid: Of the program, if it is not the one that plays.
    """

    def __init__(self, folder: Path, basis: str, measure: str, pid: int | None = None) -> None:
        self._folder = folder
        self._basis = basis
        self._measure = measure
        self._pid = pid
        self.counts: list[Count] = []

    def begins(self, pid: int) -> None:
        callgrind.begin(self._pid or pid)

    def ends(self, pid: int, played: Played) -> None:
        callgrind.end(self._pid or pid)
        total = callgrind.stretches(self._folder)[-1]
        self.counts.append(played.share(self._basis, self._measure, total))


async def outside(names: Sequence[str]) -> list[Count]:
    """Calls, commands, round trips and bytes, and beside them what memory is left."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guard-")))
        server = stack.enter_context(serving("embedded"))
        async with tapped(server.url, folder) as (url, traffic):
            watch = _Outside(server, traffic)
            await play(url, "blocks", names, watch)
        return watch.counts


async def inside(meter: str, names: Sequence[str]) -> list[Count]:
    """What the process counts of itself by a meter that would disturb the others."""
    watch = _Inside()
    with serving("embedded") as server:
        await play(server.url, meter, names, watch)
    return watch.counts


async def instructions(names: Sequence[str]) -> list[Count]:
    """Instructions of the process."""
    with serving("embedded") as server, tempfile.TemporaryDirectory(prefix="guard-") as place:
        watch = _Instructions(Path(place), BUILD, "instructions")
        await play(server.url, "none", names, watch, under=callgrind.command(Path(place)))
    return watch.counts


async def server_instructions(names: Sequence[str]) -> list[Count]:
    """Instructions of the server."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guard-")))
        command = [*callgrind.command(folder), str(find_binary())]
        url = stack.enter_context(started(command, folder))
        client = Client(url)
        about = client.info("server")
        client.close()
        basis = f"{about['server_name'].capitalize()} {about['valkey_version']}, {platform.machine()}"
        watch = _Instructions(folder, basis, "server instructions", int(about["process_id"]))
        await play(url, "none", names, watch)
    return watch.counts


async def count_all(names: Sequence[str], *, by_instruction: bool) -> list[Count]:
    """All counts of these scenarios.

    Args:
        by_instruction: Whether to count instructions, too, which takes valgrind.

    Raises:
        MeasureError: They can't be taken.
    """
    passes = [outside(names)]
    # Steps of what waits for a clock would be those of the waiting.
    if untimed := [name for name in names if name not in _TIMED]:
        passes += [inside("steps", untimed), inside("peak", untimed)]
        if by_instruction:
            passes += [instructions(untimed), server_instructions(untimed)]
    counts = [count for each in await asyncio.gather(*passes) for count in each]
    order = {name: place for place, name in enumerate(names)}
    return sorted(counts, key=lambda count: order[count.scenario])
