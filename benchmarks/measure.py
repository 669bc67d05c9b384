"""One thing that is measured, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmarks.orders import Order
from benchmarks.systems import System

#: Adds of the idle measures that come first and are not counted.
LATENCY_WARMUP = 20
# Jobs that a worker of the idle measures gets warm with: as many for a fast system as for a slow one.
_LATENCY_WORK = 500
# Of the jobs of a measure, so many more are run before it, to get compilers and caches warm.
_WARM_SHARE = 4
_FEWEST, _FEWEST_WARM = 40, 20
# Kinds that come as they are: a new process, nothing in the queue. What takes 20 ms a job needs no warm-up.
_COLD = ("memory", "rss", "import", "idle", "boot", "cpu", "served")
_IDLE = ("latency", "result")
# Kinds in which the number of jobs is the same for slow systems.
_EVEN = (*_IDLE, "cpu")
# Kinds for which it does not matter how many jobs run at once.
_ANY_SLOTS = ("rss", "idle", "boot", "load")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that is measured.

    Attributes:
        key: Its name: the group, and after a dash the variant.
        title: What it is called in tables.
        kind: How it is done; see `benchmarks.rounds`.
        order: What the measured process is told.
        most_rounds: It is left out of later rounds.
        systems: Those it is made with; none for all.
        short: Those it is made with in a short run; ``None`` if it is left out there.
        fixed: Whether its title says how many jobs there are, so that no scale changes that.
        waiting: Jobs that go on waiting while others are run.
        seconds: How long it takes, if that is given and not found.
    """

    key: str
    title: str
    kind: str
    order: Order
    most_rounds: int = 1_000
    systems: tuple[str, ...] = ()
    short: tuple[str, ...] | None = ()
    fixed: bool = False
    waiting: int = 0
    seconds: float = 0

    @property
    def group(self) -> str:
        return group_of(self.key)

    def suits(self, system: str) -> bool:
        """Whether it is made with a system."""
        return not self.systems or system in self.systems

    def shortened(self) -> Measure | None:
        """What is left of it in a short run."""
        return None if self.short is None else replace(self, systems=self.short or self.systems)

    def scaled(self, scale: float) -> Measure:
        """The same with more or fewer jobs, and as many to get warm with as suit them."""
        count = self.order.count if self.fixed else max(round(self.order.count * scale), _FEWEST)
        warmup = 0 if self.kind in _COLD else max(count // _WARM_SHARE, _FEWEST_WARM)
        if self.kind in _IDLE:
            count, warmup = count + LATENCY_WARMUP, _LATENCY_WORK
        elif self.kind == "flow":
            warmup = count
        order = replace(self.order, count=count, warmup=warmup)
        return replace(self, order=order, seconds=self.seconds * min(scale, 1))

    def for_system(self, system: System) -> Measure:
        """The same with the system's share of the jobs, and no more at once than it can."""
        order = self.order
        if self.kind in _ANY_SLOTS:
            order = replace(order, concurrency=min(order.concurrency, system.most_slots))
        if system.share != 1 and self.kind not in _EVEN:
            order = replace(
                order,
                count=max(round(order.count * system.share), min(order.count, _FEWEST)),
                warmup=max(round(order.warmup * system.share), min(order.warmup, _FEWEST_WARM)),
            )
        return replace(self, order=order)


def group_of(key: str) -> str:
    """The group of a measure."""
    return key.partition("-")[0]
