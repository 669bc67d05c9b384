"""Making the measures: all systems in turns, each in a process of its own, all on one server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from benchmarks.delivery import check_added, check_worked
from benchmarks.figures import Sample, percentile
from benchmarks.orders import QUEUE, WARM_QUEUE, Order
from benchmarks.plan import LATENCY_WARMUP, Measure
from benchmarks.process import Child, MeasureError, running
from benchmarks.server import Server

# Seconds in which a worker that was started gets idle.
_SETTLING = 0.5
# Spaced adds wait so many ms; a worker is idle again before the next.
_PAUSE_MS = (5.0, 20.0)


class Session:
    """One run of the benchmark on a server.

    Attributes:
        samples: What was measured so far.
        versions: Of each system's parts.
    """

    def __init__(self, server: Server, systems: Sequence[str], tell: Callable[[Sample], None]) -> None:
        self._server = server
        self._systems = systems
        self._tell = tell
        self._fillers: dict[str, Child] = {}
        self.samples: list[Sample] = []
        self.versions: dict[str, dict[str, str]] = {}

    async def run(self, measures: Sequence[Measure], rounds: int) -> None:
        """Make all measures, in rounds; the order of the systems alternates.

        Raises:
            MeasureError: A measure failed, or jobs were lost or doubled.
        """
        async with AsyncExitStack() as stack:
            # Jobs to be drained are added by a process that is not measured, but of the same system.
            for system in self._systems:
                self._fillers[system] = await stack.enter_async_context(running(system))
            for number in range(rounds):
                for place, measure in enumerate(measures):
                    if number < measure.most_rounds:
                        await self._turn(measure, number, backwards=(number + place) % 2 == 1)

    async def _turn(self, measure: Measure, number: int, *, backwards: bool) -> None:
        for system in reversed(self._systems) if backwards else self._systems:
            self._server.reset()
            make = {"add": self._add, "drain": self._drain, "latency": self._latency, "memory": self._memory}
            sample = await make[measure.kind](system, measure, number)
            self.samples.append(sample)
            self._tell(sample)

    async def _fill(self, system: str, queue: str, count: int, waited: int = 0) -> list[str]:
        filler = self._fillers[system]
        await filler.prepare(Order(verb="add", url=self._server.url, queue=queue, count=count))
        result = await filler.go()
        self.versions[system] = filler.versions
        return check_added(system, result, count, waited)

    async def _add(self, system: str, measure: Measure, number: int) -> Sample:
        order = replace(measure.order, url=self._server.url)
        async with running(system) as child:
            await child.prepare(order)
            self.versions[system] = child.versions
            before = self._server.cpu_seconds()
            result = await child.go()
            used = self._server.cpu_seconds() - before
        check_added(system, result, order.count)
        return Sample(measure.key, system, number, _rates(result, order.count, used))

    async def _drain(self, system: str, measure: Measure, number: int) -> Sample:
        order = replace(measure.order, url=self._server.url)
        await self._fill(system, WARM_QUEUE, order.warmup)
        added = await self._fill(system, QUEUE, order.count)
        async with running(system) as child:
            await child.prepare(order)
            before = self._server.cpu_seconds()
            result = await child.go()
            used = self._server.cpu_seconds() - before
        check_worked(system, result, added)
        return Sample(measure.key, system, number, _rates(result, order.count, used))

    async def _latency(self, system: str, measure: Measure, number: int) -> Sample:
        order = replace(measure.order, url=self._server.url)
        await self._fill(system, WARM_QUEUE, order.warmup)
        adding = replace(order, verb="add", mode="spaced", warmup=0, pauses_ms=_pauses(order.count, number))
        async with running(system) as worker, running(system) as producer:
            await worker.prepare(order)
            await producer.prepare(adding)
            working = asyncio.create_task(worker.go())
            await asyncio.sleep(_SETTLING)
            added = await producer.go()
            worked = await working
        # The last jobs may have begun already, so how many wait is not asked.
        check_worked(system, worked, added["ids"])
        began: dict[str, float] = worked["at_us"]
        waits = [(began[id] - at_us) / 1000 for id, at_us in added["at_us"].items()][LATENCY_WARMUP:]
        if min(waits) < 0:
            raise MeasureError(f"{system}: a job began before it was added; the clocks can't be compared")
        values = {f"p{percent}_ms": percentile(waits, percent) for percent in (50, 95, 99)}
        return Sample(measure.key, system, number, values, [round(wait, 4) for wait in waits])

    async def _memory(self, system: str, measure: Measure, number: int) -> Sample:
        # The first half pays for what a queue has once: its stream of events is at its bound, keys are there.
        count = measure.order.count
        await self._fill(system, QUEUE, count)
        before = self._server.memory()
        await self._fill(system, QUEUE, count, waited=count)
        after = self._server.memory()
        values = {name: (after[name] - before[name]) / count for name in before}
        return Sample(measure.key, system, number, values)


def _pauses(count: int, seed: int) -> list[float]:
    """Waits between adds: scattered, the same for all systems in a round."""
    dice = random.Random(seed)
    return [round(dice.uniform(*_PAUSE_MS), 3) for _ in range(count)]


def _rates(result: dict[str, Any], count: int, server_seconds: float) -> dict[str, float]:
    return {
        "rate": count / result["seconds"],
        "process_us": result["cpu"] / count * 1e6,
        "server_us": server_seconds / count * 1e6,
    }
