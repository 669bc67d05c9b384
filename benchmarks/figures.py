"""Medians, spreads and ratios of what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """What one measure of one system gave in one round.

    Attributes:
        values: ``rate`` in jobs/s, ``process_us`` and ``server_us`` of CPU per job, ``efficiency`` as a share
            of the ideal, ``cost_ms``: how much longer a job takes than another way, ``p50_ms``, ``p95_ms``,
            ``p99_ms``, ``per_second`` that arrive, bytes per job: ``data`` and ``all``, of a process
            ``idle_mb``, ``more_mb`` after jobs and ``most_mb``, ``import_ms``, ``boot_ms``, or ``commands``
            a minute.
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

    def scaled(self, factor: float) -> Spread:
        """The same in another unit."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How two systems compare.

    Attributes:
        of_medians: One median by the other.
        by_round: Over the ratios within each round, where both met the same state of the machine.
    """

    of_medians: float
    by_round: Spread


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

    @property
    def systems(self) -> set[str]:
        """Those that gave anything."""
        return {sample.system for sample in self._samples}

    def measures(self, system: str, group: str, value: str) -> set[str]:
        """Those of a group in which a system gave a value; the group itself may be one."""
        return {
            sample.measure
            for sample in self._samples
            if sample.system == system
            and value in sample.values
            and (sample.measure == group or sample.measure.startswith(f"{group}-"))
        }

    def best(self, system: str, group: str, value: str) -> str | None:
        """The measure of a group in which a system has its highest median."""
        medians = {
            measure: median(self.by_round(system, measure, value).values())
            for measure in self.measures(system, group, value)
        }
        return max(medians, key=lambda measure: medians[measure]) if medians else None
