"""What toril promises: of each measure what it gives at least, and what it aims at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Against(Enum):
    """What a value is compared with."""

    RIVAL = "BullMQ for Node, in the same measure"
    PEERS = "the Python peer that does best in any measure of the group"
    ITSELF = "the same system in another measure"
    NOTHING = "nothing: the value itself is promised"


class Standing(Enum):
    """How a promise was kept."""

    AIM = "aim"
    REACHED = "reached"
    BELOW = "**below**"


@dataclass(frozen=True, slots=True)
class Floor:
    """What toril promises of a measure.

    Attributes:
        measure: Key of the measure; of a group, its member with the largest number counts.
        value: Name of the value.
        least: The promise: of the ratio, or of the value itself.
        aim: What it is to become; ``None`` if no more is aimed at.
        base: Key of the other measure, against ``ITSELF``.
        rising: Whether more is better.
    """

    title: str
    measure: str
    value: str
    least: float
    aim: float | None = None
    against: Against = Against.RIVAL
    base: str = ""
    rising: bool = True

    def standing(self, figure: float) -> Standing:
        """How a figure keeps the promise, by the digits that are shown of it."""
        if self.aim is not None and self._reaches(figure, self.aim):
            return Standing.AIM
        return Standing.REACHED if self._reaches(figure, self.least) else Standing.BELOW

    def _reaches(self, figure: float, bound: float) -> bool:
        shown = round(figure, 2)
        return shown >= bound if self.rising else shown <= bound

    def bound(self, figure: float | None) -> str:
        """How a promise or an aim is written."""
        return "" if figure is None else f"{'≥' if self.rising else '≤'} {figure:g}"


def _less(title: str, measure: str, value: str, least: float, aim: float | None = None) -> Floor:
    return Floor(title, measure, value, least, aim, rising=False)


def _most(title: str, measure: str, value: str, least: float, aim: float | None = None) -> Floor:
    return Floor(title, measure, value, least, aim, Against.NOTHING, rising=False)


def _least(title: str, measure: str, value: str, least: float) -> Floor:
    return Floor(title, measure, value, least, against=Against.NOTHING)


def _flat(title: str, measure: str, base: str) -> Floor:
    return Floor(title, measure, "rate", 0.9, 1.0, Against.ITSELF, base)


#: All that is promised.
FLOORS = (
    Floor("drain, one process, concurrency 100, jobs/s", "drain-100", "rate", 1.8, 2.5),
    Floor("drain, against the best Python peer, jobs/s", "drain-100", "rate", 6, 10, Against.PEERS),
    Floor("drain, two processes, jobs/s", "two-100", "rate", 2.5, 3),
    Floor("drain, concurrency 1, jobs/s", "drain-1", "rate", 1.3, 2.5),
    Floor("fail, be retried at once, fail for good, jobs/s", "fail", "rate", 1.5, 2.5),
    Floor("add, one by one, jobs/s", "add-one", "rate", 1, 2),
    Floor("add, 100 callers, jobs/s", "add-concurrent", "rate", 2.5, 3.5),
    Floor("add, in bulk, jobs/s", "add-bulk", "rate", 2.5, 4),
    Floor("flow of 1000 children, added and run, jobs/s", "flow", "rate", 1.5, 3),
    _less("idle, add to start, p50, ms", "latency", "p50_ms", 1, 0.5),
    _less("idle, add to start, p99, ms", "latency", "p99_ms", 1, 0.5),
    _less("server CPU per job of the drain, µs", "drain-100", "server_us", 0.6, 0.4),
    _less("memory per waiting job, bytes", "memory", "data", 1),
    _flat("drain while 1 000 000 jobs wait, against 1 000, jobs/s", "growth", "growth-1000"),
    _flat("drain, concurrency 1 000 against 100, jobs/s", "drain-1000", "drain-100"),
    _less("10 000 due in one second, lateness, p99, ms", "delayed-second", "p99_ms", 1, 0.5),
    _least("jobs that compute, by `toril worker --processes 2`, of the ideal", "served", "efficiency", 0.9),
    _most("a job in a child process, more than on the loop, ms", "isolated", "cost_ms", 1, 0.5),
    # 5 000 of them in 0.7 s.
    _least("jobs that wait 10 ms, concurrency 100, jobs/s", "io", "rate", 7_143),
    _most("memory of an idle worker, MB", "rss", "idle_mb", 45),
    _most("memory of a worker, more after 1 000 000 jobs, MB", "rss", "more_mb", 5),
    _most("import, ms", "import", "import_ms", 120, 60),
    _most("commands of an idle worker, a minute", "idle", "commands", 30),
)
