"""What is measured, how much of it, and what toril promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.orders import Order

#: How many jobs a worker runs at once, unless told otherwise; each system is judged by its best.
CONCURRENCIES = (1, 10, 50, 100)
#: Adds of the idle measure that come first and are not counted.
LATENCY_WARMUP = 20
# Of the jobs of a measure, so many more are run before it, to get compilers and caches warm.
_WARM_SHARE = 4
# Bytes per job do not scatter, so a few rounds will do.
_MEMORY_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured.

    Attributes:
        key: Its name: the group, and after a dash the variant.
        title: What it is called in tables.
        kind: ``add``, ``drain``, ``latency`` or ``memory``: how it is done.
        order: What the measured process is told.
        most_rounds: It is left out of later rounds.
    """

    key: str
    title: str
    kind: str
    order: Order
    most_rounds: int = 1_000

    @property
    def group(self) -> str:
        return self.key.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Floor:
    """What toril promises of a measure, as a ratio of its value to the other system's.

    Attributes:
        measure: Key of the measure; of a whole group, if only the best of each system counts.
        value: Name of the value.
        ratio: The promised ratio.
        at_least: Whether the ratio may not be smaller; else it may not be larger.
    """

    measure: str
    value: str
    title: str
    ratio: float
    at_least: bool

    def holds(self, ratio: float) -> bool:
        """Whether a ratio keeps the promise, by the digits that are shown of it."""
        shown = round(ratio, 2)
        return shown >= self.ratio if self.at_least else shown <= self.ratio

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.ratio:g}"


#: Against BullMQ for Node.
FLOORS = (
    Floor("drain", "rate", "drain by one process, best concurrency, jobs/s", 1.2, True),
    Floor("add-concurrent", "rate", "add by 100 callers, jobs/s", 2.0, True),
    Floor("add-bulk", "rate", "add in bulk, jobs/s", 2.0, True),
    Floor("latency", "p50_ms", "idle, add to start, p50, ms", 1.0, False),
    Floor("memory", "data", "memory per waiting job, bytes", 1.0, False),
)
#: The system that the floors are about.
RIVAL = "bullmq"


def plan(
    scale: float, only: Sequence[str] = (), concurrencies: Sequence[int] = CONCURRENCIES
) -> list[Measure]:
    """The measures to make.

    Args:
        scale: Factor for all counts of jobs.
        only: Keys or groups; none for all.

    Raises:
        ValueError: One of ``only`` is no measure.
    """
    measures = [*_drains(concurrencies), *_adds(), _latency(), _memory()]
    known = {name for measure in measures for name in (measure.key, measure.group)}
    if unknown := set(only) - known:
        raise ValueError(
            f"there is no measure {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        )
    chosen = [each for each in measures if not only or each.key in only or each.group in only]
    return [_scaled(measure, scale) for measure in chosen]


def _drains(concurrencies: Sequence[int]) -> list[Measure]:
    return [
        Measure(
            f"drain-{slots}",
            f"drain, concurrency {slots}",
            "drain",
            Order(verb="work", url="", concurrency=slots, count=5_000 if slots == 1 else 18_000),
        )
        for slots in concurrencies
    ]


def _adds() -> list[Measure]:
    ways = (
        ("one", "add, one by one", 6_000),
        ("concurrent", "add, 100 callers", 20_000),
        ("bulk", "add, in bulk of 1000", 30_000),
    )
    return [
        Measure(f"add-{mode}", title, "add", Order(verb="add", url="", mode=mode, count=count))
        for mode, title, count in ways
    ]


def _latency() -> Measure:
    return Measure(
        "latency", "idle, add to start", "latency", Order(verb="work", url="", count=200, stamps=True)
    )


def _memory() -> Measure:
    order = Order(verb="add", url="", mode="bulk", count=10_000)
    return Measure("memory", "memory per waiting job", "memory", order, _MEMORY_ROUNDS)


def _scaled(measure: Measure, scale: float) -> Measure:
    count = max(round(measure.order.count * scale), 40)
    warmup = 0 if measure.kind == "memory" else max(count // _WARM_SHARE, 20)
    if measure.kind == "latency":
        count, warmup = count + LATENCY_WARMUP, 500
    return replace(measure, order=replace(measure.order, count=count, warmup=warmup))
