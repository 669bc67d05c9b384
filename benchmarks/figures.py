"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.floors import Floor


@dataclass(frozen=True, slots=True)
class Sample:
    """What one measure of one system gave in one round.

    Attributes:
        values: ``rate`` in jobs/s, ``process_us`` and ``server_us`` of CPU per job, ``p50_ms``, ``p95_ms``,
            ``p99_ms``, bytes per job: ``data`` and ``all``, of a process ``idle_mb`` and ``more_mb`` after
            jobs, ``import_ms``, or ``commands`` a minute.
        raw: Single latencies in ms.
    """

    measure: str
    system: str
    round: int
    values: dict[str, float]
    raw: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, slots=True)
class Spread:
    """A value over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Ratio:
    """How two systems compare.

    Attributes:
        of_medians: One median by the other.
        by_round: Over the ratios within each round, where both met the same state of the machine.
    """

    of_medians: float
    by_round: Spread


@dataclass(frozen=True, slots=True)
class Verdict:
    """A floor, what was measured, and whether the floor was reached.

    Attributes:
        measures: Keys of our measure and of theirs; they differ when each is judged by its best.
    """

    floor: Floor
    measures: tuple[str, str]
    ours: Spread
    theirs: Spread
    ratio: Ratio

    @property
    def holds(self) -> bool:
        return self.floor.holds(self.ratio.of_medians)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that ``percent`` of the values don't exceed, interpolated between neighbours."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below, above = math.floor(place), math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


class Figures:
    """All samples of a run."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def by_round(self, system: str, measure: str, value: str) -> dict[int, float]:
        """A value in each round that has it."""
        return {
            sample.round: sample.values[value]
            for sample in self._samples
            if sample.system == system and sample.measure == measure and value in sample.values
        }

    def spread(self, system: str, measure: str, value: str) -> Spread | None:
        """A value over all rounds; ``None`` if it was not measured."""
        values = self.by_round(system, measure, value)
        return Spread.of(list(values.values())) if values else None

    def ratio(self, ours: tuple[str, str], theirs: tuple[str, str], value: str) -> Ratio | None:
        """Compare two systems, each named with its measure.

        Answers ``None`` if they share no round, or the other gave nothing.
        """
        mine, other = self.by_round(*ours, value), self.by_round(*theirs, value)
        rounds = mine.keys() & other.keys()
        if not rounds or not all(other.values()):
            return None
        by_round = [mine[number] / other[number] for number in sorted(rounds)]
        return Ratio(median(mine.values()) / median(other.values()), Spread.of(by_round))

    def best(self, system: str, group: str, value: str) -> str | None:
        """The measure of a group in which a system has its highest median; the group itself may be one."""
        medians: dict[str, float] = {}
        for measure in {sample.measure for sample in self._samples}:
            spread = self.spread(system, measure, value)
            if spread is not None and (measure == group or measure.startswith(f"{group}-")):
                medians[measure] = spread.median
        return max(medians, key=lambda measure: medians[measure]) if medians else None

    def verdict(self, floor: Floor, system: str, rival: str) -> Verdict | None:
        """Whether a floor was reached; ``None`` if it was not measured."""
        ours = self.best(system, floor.measure, floor.value)
        theirs = self.best(rival, floor.measure, floor.value)
        if ours is None or theirs is None:
            return None
        ratio = self.ratio((system, ours), (rival, theirs), floor.value)
        mine, other = self.spread(system, ours, floor.value), self.spread(rival, theirs, floor.value)
        if ratio is None or mine is None or other is None:
            return None
        return Verdict(floor, (ours, theirs), mine, other, ratio)
