"""Show where the time of a measure goes: `make profile WHAT=drain-100`.

For each measure a folder below `out/profile/` gets a flame graph of the process (process.svg, its hottest
lines in process.txt), the hottest functions of the server (server.txt), and what the server counted
(commands.md).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import makers, special
from benchmarks.bench import Turn
from benchmarks.figures import Sample
from benchmarks.measure import Measure
from benchmarks.plan import GROWTH_SHORT, plan
from benchmarks.process import Child, MeasureError, running
from benchmarks.profiling.commands import command_table, event_table
from benchmarks.profiling.flame import table_of
from benchmarks.profiling.samplers import spied, watched
from benchmarks.server import serving
from benchmarks.systems import OURS, ROOT, systems

_OUT = ROOT / "out" / "profile"
# What one process does at a stretch; the others have nothing to be looked at for long enough.
_MAKERS: dict[str, Callable[[Turn], Awaitable[Sample]]] = {
    "add": makers.add,
    "drain": makers.drain,
    "fail": special.fail,
    "flow": special.flow,
    "growth": special.growth,
}


@dataclass(frozen=True)
class Watched(Turn):
    """A measure during which it is looked where the time goes.

    Attributes:
        folder: For what is seen.
    """

    folder: Path

    async def timed(self, child: Child) -> tuple[dict[str, Any], float]:
        server, pid = self.server, int(self.server.info("server")["process_id"])
        server.ask("CONFIG", "SET", "latency-monitor-threshold", "1")
        async with AsyncExitStack() as stack:
            picture = self.folder / "process.svg"
            stack.callback(table_of, picture)
            await stack.enter_async_context(spied(child.pid, picture))
            await stack.enter_async_context(watched(pid, self.folder))
            server.ask("LATENCY", "RESET")
            server.ask("CONFIG", "RESETSTAT")
            answer = await super().timed(child)
            self._write_commands()
        return answer

    def _write_commands(self) -> None:
        stats, latencies = self.server.info("commandstats"), self.server.info("latencystats")
        lines = command_table(stats, latencies, self.order.count)
        lines += ["", *event_table(self.server.ask("LATENCY", "LATEST"))]
        (self.folder / "commands.md").write_text("\n".join(lines) + "\n")


def choose(what: str, scale: float) -> list[Measure]:
    """The measures to look at.

    Raises:
        ValueError: There is no such measure, or it is none of a stretch of work.
    """
    measures = plan(scale, [name for name in what.split(",") if name], growth=GROWTH_SHORT)
    if unfit := [measure.key for measure in measures if measure.kind not in _MAKERS]:
        raise ValueError(f"{', '.join(unfit)} can't be looked at, only what is about {', '.join(_MAKERS)}")
    return [_longer(measure, scale) if measure.kind == "flow" else measure for measure in measures]


def _longer(measure: Measure, scale: float) -> Measure:
    """A flow is as long as its name says, so there are more of them."""
    order = measure.order
    return replace(measure, order=replace(order, count=order.count * max(round(scale), 1)))


async def look(measures: list[Measure]) -> None:
    """Make each measure once, and look."""
    system = systems()[OURS]
    with serving("embedded") as server:
        async with running(system) as filler:
            for measure in measures:
                folder = _OUT / measure.key
                # What an earlier look has left must not pass for this one's.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                server.reset()
                sample = await _MAKERS[measure.kind](Watched(server, system, measure, 0, filler, folder))
                told = ", ".join(f"{name} {value:,.0f}" for name, value in sample.values.items())
                print(f"{measure.key}: {told}; see {folder.relative_to(ROOT)}/")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make profile", description=__doc__)
    parser.add_argument("what", metavar="WHAT", help="measures or groups of the benchmark, by commas")
    parser.add_argument("--scale", type=float, default=4, help="factor for the counts of jobs")
    options = parser.parse_args()
    try:
        asyncio.run(look(choose(options.what, options.scale)))
    except (ValueError, MeasureError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
