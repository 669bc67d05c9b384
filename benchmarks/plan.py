"""What is measured, of which systems, and how much of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.orders import Order
from benchmarks.systems import PAIR, System

#: How many jobs a worker runs at once, of every system, and besides of the pair; each is judged by its best.
CONCURRENCIES = (1, 10, 100)
PAIR_CONCURRENCIES = (50, 1000)
#: Adds of the idle measures that come first and are not counted.
LATENCY_WARMUP = 20
#: Jobs that wait in the measure of growth, at first and at last.
GROWTH = (1_000, 200_000)
# Of the jobs of a measure, so many more are run before it, to get compilers and caches warm.
_WARM_SHARE = 4
_FEWEST, _FEWEST_WARM = 40, 20
# What does not scatter needs a few rounds only.
_FEW_ROUNDS = 2
# Kinds that come as they are: a new process, nothing in the queue.
_COLD = ("memory", "import", "idle")
# Kinds for which it does not matter how many jobs run at once.
_FOOTPRINTS = ("rss", "idle")
_CHILDREN = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that is measured.

    Attributes:
        key: Its name: the group, and after a dash the variant.
        title: What it is called in tables.
        kind: How it is done; see `benchmarks.makers`.
        order: What the measured process is told.
        most_rounds: It is left out of later rounds.
        systems: Those it is made with; none for all.
        short: Whether it belongs to the short run.
        waiting: Jobs that go on waiting while others are run.
        seconds: How long it takes, if that is given and not found.
    """

    key: str
    title: str
    kind: str
    order: Order
    most_rounds: int = 1_000
    systems: tuple[str, ...] = ()
    short: bool = True
    waiting: int = 0
    seconds: float = 0

    @property
    def group(self) -> str:
        return self.key.partition("-")[0]

    def suits(self, system: str) -> bool:
        """Whether it is made with a system."""
        return not self.systems or system in self.systems

    def for_system(self, system: System) -> Measure:
        """The same with the system's share of the jobs."""
        if self.kind in _FOOTPRINTS and system.most_slots < self.order.concurrency:
            order = replace(self.order, concurrency=system.most_slots)
            return replace(self, order=order).for_system(system)
        if system.share == 1 or self.kind in ("latency", "result"):
            return self
        count, warmup = self.order.count, self.order.warmup
        fewer = replace(
            self.order,
            count=max(round(count * system.share), min(count, _FEWEST)),
            warmup=max(round(warmup * system.share), min(warmup, _FEWEST_WARM)),
        )
        return replace(self, order=fewer)


def plan(
    scale: float,
    only: Sequence[str] = (),
    concurrencies: Sequence[int] = (),
    *,
    short: bool = False,
    growth: int = GROWTH[1],
) -> list[Measure]:
    """The measures to make.

    Args:
        scale: Factor for all counts of jobs, but those that name a measure.
        only: Keys or groups; none for all.
        concurrencies: Of the drains, of all systems; none for the usual ones.
        short: Leave out what takes long and what is not about speed.
        growth: How many jobs wait at last in the measure of growth.

    Raises:
        ValueError: One of ``only`` is no measure.
    """
    measures = [*_drains(concurrencies), *_adds(), *_latencies(), *_jobs_of_kinds(), *_growth(growth)]
    measures += _footprints()
    known = {name for measure in measures for name in (measure.key, measure.group)}
    if unknown := set(only) - known:
        raise ValueError(
            f"there is no measure {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}"
        )
    chosen = [
        each
        for each in measures
        if (each.key in only or each.group in only if only else each.short or not short)
    ]
    return [_scaled(measure, scale) for measure in chosen]


def _work(count: int, concurrency: int = 100, job: str = "noop") -> Order:
    return Order(verb="work", url="", count=count, concurrency=concurrency, job=job)


def _drains(concurrencies: Sequence[int]) -> list[Measure]:
    usual = [(slots, ()) for slots in CONCURRENCIES] + [(slots, PAIR) for slots in PAIR_CONCURRENCIES]
    return [
        Measure(
            key=f"drain-{slots}",
            title=f"drain, concurrency {slots}",
            kind="drain",
            order=_work(5_000 if slots == 1 else 18_000, slots),
            systems=systems,
        )
        for slots, systems in ([(slots, ()) for slots in concurrencies] or sorted(usual))
    ]


def _adds() -> list[Measure]:
    ways = (
        ("one", "add, one by one", 6_000),
        ("concurrent", "add, 100 callers", 20_000),
        ("bulk", "add, in bulk of 1000", 30_000),
    )
    return [
        Measure(
            key=f"add-{mode}", title=title, kind="add", order=Order(verb="add", url="", mode=mode, count=n)
        )
        for mode, title, n in ways
    ]


def _latencies() -> list[Measure]:
    order = replace(_work(200, 1), stamps=True)
    return [
        Measure(key="latency", title="idle, add to start", kind="latency", order=order),
        Measure(key="result", title="idle, add to result", kind="result", order=order, most_rounds=3),
    ]


def _jobs_of_kinds() -> list[Measure]:
    flow = Order(verb="flow", url="", count=_CHILDREN + 1, children=_CHILDREN, concurrency=100)
    delayed = replace(_work(10_000), stamps=True)
    return [
        Measure(
            key="two",
            title="drain by two processes, concurrency 100",
            kind="two",
            order=replace(_work(18_000), shared=True),
            systems=PAIR,
        ),
        Measure(
            key="fail",
            title="fail, be retried at once, fail for good",
            kind="fail",
            order=_work(5_000, job="fail"),
            systems=PAIR,
        ),
        Measure(
            key="flow", title="flow of 1000 children, added and run", kind="flow", order=flow, systems=PAIR
        ),
        Measure(
            key="io",
            title="jobs that wait 10 ms, concurrency 100",
            kind="drain",
            order=_work(5_000, job="io"),
            systems=PAIR,
        ),
        Measure(
            key="delayed-spread",
            title="all due in one second, lateness",
            kind="delayed",
            order=delayed,
            systems=PAIR,
            most_rounds=_FEW_ROUNDS,
            short=False,
        ),
        Measure(
            key="delayed-once",
            title="all due in one millisecond, lateness",
            kind="delayed",
            order=replace(delayed, due_over_ms=0),
            systems=PAIR,
            most_rounds=_FEW_ROUNDS,
            short=False,
        ),
    ]


def _growth(most: int) -> list[Measure]:
    return [
        Measure(
            key=f"growth-{waiting}",
            title=f"drain while {waiting} others wait, concurrency 100",
            kind="growth",
            order=_work(10_000),
            systems=PAIR,
            most_rounds=_FEW_ROUNDS,
            short=False,
            waiting=waiting,
        )
        for waiting in (GROWTH[0], most)
    ]


def _footprints() -> list[Measure]:
    filling = Order(verb="add", url="", mode="fill", count=10_000)
    nothing = _work(0, 10)
    return [
        Measure(
            key="memory",
            title="memory per waiting job",
            kind="memory",
            order=filling,
            most_rounds=_FEW_ROUNDS,
        ),
        Measure(
            key="rss",
            title="memory of a worker",
            kind="rss",
            order=replace(_work(20_000), ledger=False),
            most_rounds=_FEW_ROUNDS,
            short=False,
        ),
        Measure(key="import", title="import", kind="import", order=nothing, most_rounds=5, short=False),
        Measure(
            key="idle",
            title="commands of an idle worker",
            kind="idle",
            order=nothing,
            most_rounds=1,
            short=False,
            seconds=60,
        ),
    ]


def _scaled(measure: Measure, scale: float) -> Measure:
    order = measure.order
    count = max(round(order.count * scale), _FEWEST)
    warmup = 0 if measure.kind in _COLD else max(count // _WARM_SHARE, _FEWEST_WARM)
    if measure.kind in ("latency", "result"):
        count, warmup = count + LATENCY_WARMUP, 500
    elif measure.kind == "flow":
        count = warmup = order.count
    elif measure.kind == "idle":
        count = 1
    elif measure.kind == "import":
        count = 0
    seconds = measure.seconds * min(scale, 1)
    return replace(measure, order=replace(order, count=count, warmup=warmup), seconds=seconds)
