"""Making the measures: all systems in turns, each in a process of its own, all on one server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

from benchmarks import footprint, makers, serving, several, special
from benchmarks.bench import Turn
from benchmarks.child import CannotError
from benchmarks.figures import Sample
from benchmarks.measure import Measure
from benchmarks.process import Child, MeasureError, running
from benchmarks.server import Server
from benchmarks.systems import System

#: How each kind of measure is made.
MAKERS: dict[str, Callable[[Turn], Awaitable[Sample]]] = {
    "add": makers.add,
    "drain": makers.drain,
    "latency": makers.latency,
    "result": makers.result,
    "load": makers.load,
    "memory": makers.memory,
    "two": several.two,
    "cpu": several.cpu,
    "served": serving.served,
    "isolated": serving.isolated,
    "fail": special.fail,
    "flow": special.flow,
    "delayed": special.delayed,
    "growth": special.growth,
    "spread": special.spread,
    "rss": footprint.rss,
    "import": footprint.import_time,
    "boot": footprint.boot,
    "idle": footprint.idle,
}


class Tell(Protocol):
    """Who hears how it goes."""

    def __call__(self, sample: Sample, /) -> None: ...


class Session:
    """One run of the benchmark on a server.

    Attributes:
        samples: What was measured so far.
        versions: Of each system's parts.
        gaps: What a system can't, by system and measure.
        faults: What went wrong, by system and measure; nothing of such a measure is among the samples.
        rounds: How many were made.
    """

    def __init__(self, server: Server, systems: Sequence[System], tell: Tell) -> None:
        self._server = server
        self._systems = systems
        self._tell = tell
        self._fillers: dict[str, Child] = {}
        self._started = AsyncExitStack()
        # Seconds that each measure took in the round before.
        self._took: dict[str, float] = {}
        self.samples: list[Sample] = []
        self.versions: dict[str, dict[str, str]] = {}
        self.gaps: dict[tuple[str, str], str] = {}
        self.faults: dict[tuple[str, str], str] = {}
        self.rounds = 0

    async def run(self, measures: Sequence[Measure], rounds: int, seconds: float | None = None) -> None:
        """Make all measures, in rounds; the order of the systems alternates.

        Args:
            rounds: How many, at most.
            seconds: No round is begun that would end later than this, if its measures take as long as before;
                the first is made in any case.
        A measure that fails, or in which jobs were lost or doubled, is dropped with all its rounds.
        """
        began = time.monotonic()
        async with self._started:
            for system in self._systems:
                await self._start_filler(system)
            for number in range(rounds):
                ahead = sum(self._took.get(each.key, 0) for each in measures if number < each.most_rounds)
                if seconds is not None and number and time.monotonic() - began + ahead > seconds:
                    break
                await self._round(measures, number)
                self.rounds += 1
            for name, filler in self._fillers.items():
                self.versions[name] = await filler.versions()

    async def _round(self, measures: Sequence[Measure], number: int) -> None:
        for order, measure in enumerate(measures):
            if number >= measure.most_rounds:
                continue
            began = time.monotonic()
            backwards = (number + order) % 2 == 1
            for system in reversed(self._systems) if backwards else self._systems:
                place = (system.name, measure.key)
                if measure.suits(system.name) and place not in self.gaps and place not in self.faults:
                    await self._turn(system, measure, number)
            self._took[measure.key] = time.monotonic() - began

    async def _turn(self, system: System, measure: Measure, number: int) -> None:
        self._server.reset()
        own = measure.for_system(system)
        turn = Turn(self._server, system, own, number, self._fillers[system.name])
        try:
            sample = await MAKERS[measure.kind](turn)
        except CannotError as error:
            self.gaps[system.name, measure.key] = str(error)
        except MeasureError as error:
            await self._drop(system, measure, str(error))
        else:
            self.samples.append(sample)
            self._tell(sample)

    async def _drop(self, system: System, measure: Measure, fault: str) -> None:
        self.faults[system.name, measure.key] = fault
        self.samples = [
            each for each in self.samples if (each.system, each.measure) != (system.name, measure.key)
        ]
        # It may be what failed.
        await self._start_filler(system)

    async def _start_filler(self, system: System) -> None:
        """Jobs to be drained are added by a process that is not measured, but of the same system."""
        self._fillers[system.name] = await self._started.enter_async_context(running(system))
