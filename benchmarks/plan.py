"""What is measured, of which systems, and how much of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmarks.measure import Measure
from benchmarks.orders import Order
from benchmarks.systems import OURS, PAIR

#: How many jobs a worker runs at once, of every system, and besides of the pair.
CONCURRENCIES = (1, 10, 100)
PAIR_CONCURRENCIES = (1000,)
#: Jobs in the measures of growth at first, and at last in a short and in a whole run.
GROWTH_FROM, GROWTH_SHORT, GROWTH = 1_000, 200_000, 1_000_000
# What does not scatter, or takes long, needs a few rounds only.
_FEW_ROUNDS = 2
_CHILDREN = 1_000
# Measures of what only ours has; in a short run, those of which the promise is about ours alone.
_OURS = (OURS,)
_PAYLOADS = (
    (100, "100 B", 6_000),
    (1_000, "1 kB", 6_000),
    (10_000, "10 kB", 3_000),
    (100_000, "100 kB", 600),
)
_QUEUES = (1, 10, 100, 1_000)


def plan(
    scale: float,
    only: Sequence[str] = (),
    concurrencies: Sequence[int] = (),
    *,
    short: bool = False,
    growth: int = 0,
) -> list[Measure]:
    """The measures to make.

    Args:
        scale: Factor for all counts of jobs, but those that name a measure.
        only: Keys or groups; none for all.
        concurrencies: Of the drains, of all systems; none for the usual ones.
        short: Leave out what takes long and what is not about speed.
        growth: How many jobs there are at last in the measures of growth; 0 for the usual number.

    Raises:
        ValueError: One of ``only`` is no measure.
    """
    measures = list(_all(concurrencies, growth or (GROWTH_SHORT if short else GROWTH)))
    known = dict.fromkeys(name for measure in measures for name in (measure.group, measure.key))
    if unknown := set(only) - known.keys():
        raise ValueError(f"there is no measure {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if only:
        measures = [each for each in measures if each.key in only or each.group in only]
    elif short:
        measures = [left for each in measures if (left := each.shortened()) is not None]
    return [measure.scaled(scale) for measure in measures]


def _all(concurrencies: Sequence[int], growth: int) -> Iterator[Measure]:
    yield from _drains(concurrencies)
    yield from _pairs()
    yield from _adds()
    yield from _latencies()
    yield from _jobs_of_kinds()
    yield from _service()
    yield from _delays()
    yield from _growth(growth)
    yield from _payloads()
    yield from _footprints(growth)


def _work(count: int, concurrency: int = 100, job: str = "noop") -> Order:
    return Order(verb="work", url="", count=count, concurrency=concurrency, job=job)


def _drain_count(slots: int) -> int:
    return 5_000 if slots == 1 else 18_000


def _drains(concurrencies: Sequence[int]) -> Iterator[Measure]:
    usual = [(slots, ()) for slots in CONCURRENCIES] + [(slots, PAIR) for slots in PAIR_CONCURRENCIES]
    for slots, systems in [(slots, ()) for slots in concurrencies] or usual:
        yield Measure(
            key=f"drain-{slots}",
            title=f"drain, concurrency {slots}",
            kind="drain",
            order=_work(_drain_count(slots), slots),
            systems=systems,
        )


def _pairs() -> Iterator[Measure]:
    for slots in (*CONCURRENCIES, *PAIR_CONCURRENCIES):
        yield Measure(
            key=f"two-{slots}",
            title=f"drain by two processes, concurrency {slots}",
            kind="two",
            order=replace(_work(_drain_count(slots), slots), shared=True),
            systems=PAIR,
            # The one that is promised.
            short=() if slots == 100 else None,
        )
    yield Measure(
        key="cpu",
        title="jobs that compute for 20 ms, two processes",
        kind="cpu",
        order=replace(_work(200, 1, "cpu"), shared=True),
        most_rounds=_FEW_ROUNDS,
        short=None,
    )


def _adds() -> Iterator[Measure]:
    ways = (
        ("one", "add, one by one", 6_000),
        ("concurrent", "add, 100 callers", 20_000),
        ("bulk", "add, in bulk of 1000", 30_000),
    )
    for mode, title, count in ways:
        order = Order(verb="add", url="", mode=mode, count=count)
        yield Measure(key=f"add-{mode}", title=title, kind="add", order=order)


def _latencies() -> Iterator[Measure]:
    # A 99th percentile, which is promised, needs some hundreds.
    idle = replace(_work(500, 1), stamps=True)
    fewer = replace(idle, count=200)
    yield Measure(key="latency", title="idle, add to start", kind="latency", order=idle)
    yield Measure(key="result", title="idle, add to result", kind="result", order=fewer, most_rounds=3)
    yield Measure(
        key="load",
        title="half loaded, add to start",
        kind="load",
        order=replace(_work(10_000), stamps=True),
        most_rounds=3,
        short=PAIR,
        seconds=3,
    )


def _jobs_of_kinds() -> Iterator[Measure]:
    yield Measure(
        key="fail",
        title="fail, be retried at once, fail for good",
        kind="fail",
        order=_work(5_000, job="fail"),
        systems=PAIR,
    )
    yield Measure(
        key="flow",
        title="flow of 1000 children, added and run",
        kind="flow",
        order=Order(verb="flow", url="", count=_CHILDREN + 1, children=_CHILDREN, concurrency=100),
        systems=PAIR,
        fixed=True,
    )
    yield Measure(
        key="io",
        title="jobs that wait 10 ms, concurrency 100",
        kind="drain",
        order=_work(5_000, job="io"),
        short=PAIR,
    )
    yield Measure(
        key="priorities",
        title="drain of 10 priorities, concurrency 100",
        kind="drain",
        order=replace(_work(10_000), priorities=10),
        systems=PAIR,
        short=None,
    )


def _service() -> Iterator[Measure]:
    serve = Order(verb="serve", url="")
    yield Measure(
        key="served",
        title="jobs that compute for 20 ms, `toril worker --processes 2`",
        kind="served",
        order=replace(serve, count=400, job="cpu", processes=2, ways=["thread", "burn"]),
        systems=_OURS,
        most_rounds=_FEW_ROUNDS,
    )
    yield Measure(
        key="isolated",
        title="drain in a child process, concurrency 1",
        kind="isolated",
        order=replace(serve, count=2_000, ways=["process", "loop"]),
        systems=_OURS,
        most_rounds=_FEW_ROUNDS,
    )


def _delays() -> Iterator[Measure]:
    kinds = (
        ("few", "10 a second are due, lateness", 40, 4_000),
        ("second", "10 000 due in one second, lateness", 10_000, 1_000),
        ("instant", "10 000 due in one millisecond, lateness", 10_000, 0),
    )
    for name, title, count, over_ms in kinds:
        yield Measure(
            key=f"delayed-{name}",
            title=title,
            kind="delayed",
            order=replace(_work(count), stamps=True, due_over_ms=over_ms),
            systems=PAIR,
            most_rounds=_FEW_ROUNDS,
            # The one that is promised.
            short=() if name == "second" else None,
            fixed=True,
        )


def _growth(most: int) -> Iterator[Measure]:
    for waiting in dict.fromkeys((GROWTH_FROM, most)):
        yield Measure(
            key=f"growth-{waiting}",
            title=f"drain while {waiting} others wait, concurrency 100",
            kind="growth",
            order=_work(10_000),
            systems=PAIR,
            most_rounds=_FEW_ROUNDS,
            short=_OURS,
            waiting=waiting,
        )
    for queues in _QUEUES:
        order = replace(_work(10_000, 10), verb="spread", queues=queues)
        yield Measure(
            key=f"queues-{queues}",
            title=f"queues in one process: {queues}, jobs added and run",
            kind="spread",
            order=order,
            systems=PAIR,
            most_rounds=_FEW_ROUNDS,
            short=None,
        )


def _payloads() -> Iterator[Measure]:
    for size, name, count in _PAYLOADS:
        add = Order(verb="add", url="", mode="concurrent", count=count, payload=size)
        drain = replace(_work(count, job="read"), payload=size)
        for what, title, order in (
            ("add", "add, 100 callers", add),
            ("drain", "drain, concurrency 100", drain),
        ):
            yield Measure(
                key=f"payload-{what}-{size}",
                title=f"{title}, jobs of {name}",
                kind=what,
                order=order,
                systems=PAIR,
                most_rounds=_FEW_ROUNDS,
                short=None,
            )


def _footprints(growth: int) -> Iterator[Measure]:
    nothing = _work(0, 10)
    yield Measure(
        key="memory",
        title="memory per waiting job",
        kind="memory",
        order=Order(verb="add", url="", mode="fill", count=10_000),
        most_rounds=_FEW_ROUNDS,
    )
    yield Measure(
        key="rss",
        title="memory of a worker",
        kind="rss",
        order=replace(_work(20_000), ledger=False),
        most_rounds=_FEW_ROUNDS,
        short=None,
    )
    yield Measure(
        key=f"rss-{growth}",
        title=f"memory of a worker that runs {growth} jobs",
        kind="rss",
        order=replace(_work(growth), ledger=False),
        most_rounds=1,
        systems=PAIR,
        short=_OURS,
        fixed=True,
    )
    yield Measure(key="import", title="import", kind="import", order=nothing, most_rounds=5, fixed=True)
    yield Measure(
        key="boot",
        title="boot, from the start of the process to that of a waiting job",
        kind="boot",
        order=replace(nothing, count=1, stamps=True),
        most_rounds=5,
        fixed=True,
    )
    yield Measure(
        key="idle",
        title="commands of an idle worker",
        kind="idle",
        order=replace(nothing, count=1),
        most_rounds=1,
        short=_OURS,
        fixed=True,
        seconds=60,
    )
