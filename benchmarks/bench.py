"""What every measure is made with: the server, the system it is made of, and who adds its jobs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from benchmarks.delivery import check_added
from benchmarks.figures import Sample
from benchmarks.measure import Measure
from benchmarks.orders import QUEUE, WARM_QUEUE, Order
from benchmarks.process import Child
from benchmarks.server import Server
from benchmarks.systems import System


@dataclass(frozen=True, slots=True)
class Turn:
    """One measure of one system in one round.

    Attributes:
        measure: With the system's own share of the jobs.
        filler: A process of the system that adds jobs and is not measured.
    """

    server: Server
    system: System
    measure: Measure
    round: int
    filler: Child

    @property
    def order(self) -> Order:
        """What the measured process is told."""
        return replace(self.measure.order, url=self.server.url)

    @property
    def name(self) -> str:
        return self.system.name

    async def fill(self, queue: str, count: int, waited: int = 0) -> list[str]:
        """Add jobs; answers their ids.

        Raises:
            MeasureError: They were not added, or not once each.
        """
        adding = replace(self.order, verb="add", mode="fill", queue=queue, count=count, warmup=0)
        await self.filler.prepare(adding)
        return check_added(self.name, await self.filler.go(), count, waited)

    async def fill_both(self, more: int = 0) -> list[str]:
        """Jobs to get warm with, and those of the measure; answers the latter's ids."""
        if self.order.warmup:
            await self.fill(WARM_QUEUE, self.order.warmup)
        return await self.fill(QUEUE, self.order.count + more)

    def sample(self, values: dict[str, float], raw: list[float] | None = None) -> Sample:
        """What it gave."""
        return Sample(self.measure.key, self.name, self.round, values, raw or [])

    async def timed(self, child: Child) -> tuple[dict[str, Any], float]:
        """Let a process go; answers its result, and the CPU seconds of the server meanwhile."""
        before = self.server.cpu_seconds()
        result = await child.go()
        return result, self.server.cpu_seconds() - before


def rates(seconds: float, cpu: float, server_cpu: float, count: int) -> dict[str, float]:
    """The values of what is about throughput."""
    return {
        "rate": count / seconds,
        "process_us": cpu / count * 1e6,
        "server_us": server_cpu / count * 1e6,
    }
