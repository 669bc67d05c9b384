"""Whether promises were kept, by what was measured in one run."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.figures import Figures, Ratio, Spread
from benchmarks.floors import Against, Floor, Standing
from benchmarks.measure import group_of
from benchmarks.systems import OURS, PAIR, RIVAL


@dataclass(frozen=True, slots=True)
class Compared:
    """A value of a system.

    Attributes:
        measure: Key of the measure that it is of.
    """

    system: str
    measure: str
    spread: Spread


@dataclass(frozen=True, slots=True)
class Verdict:
    """A promise, what was measured, and how it was kept.

    Attributes:
        other: What ours is compared with, and how it compares; ``None`` where the value itself is promised.
    """

    floor: Floor
    ours: Compared
    other: tuple[Compared, Ratio] | None
    standing: Standing


def judge(floor: Floor, figures: Figures) -> Verdict | None:
    """How a promise was kept; ``None`` if what it is about was not measured."""
    ours = _compared(figures, OURS, _largest(figures, floor), floor.value)
    if ours is None:
        return None
    if floor.against is Against.NOTHING:
        return Verdict(floor, ours, None, floor.standing(ours.spread.median))
    other = _other(floor, figures, ours)
    if other is None or other == ours:
        return None
    ratio = figures.ratio((OURS, ours.measure), (other.system, other.measure), floor.value)
    return None if ratio is None else Verdict(floor, ours, (other, ratio), floor.standing(ratio.of_medians))


def _other(floor: Floor, figures: Figures, ours: Compared) -> Compared | None:
    if floor.against is Against.PEERS:
        return _best_peer(floor, figures)
    if floor.against is Against.ITSELF:
        return _compared(figures, OURS, floor.base, floor.value)
    return _compared(figures, RIVAL, ours.measure, floor.value)


def _best_peer(floor: Floor, figures: Figures) -> Compared | None:
    """Each peer by its best measure of the group, and of those the best."""
    peers: list[Compared] = []
    for system in figures.systems - set(PAIR):
        best = figures.best(system, group_of(floor.measure), floor.value)
        compared = _compared(figures, system, best, floor.value)
        if compared is not None:
            peers.append(compared)
    return max(peers, key=lambda peer: peer.spread.median, default=None)


def _largest(figures: Figures, floor: Floor) -> str | None:
    """The measure that a promise is about; if that is a group, its member with the largest number."""
    measured = figures.measures(OURS, floor.measure, floor.value)
    return max(measured, key=_number, default=None)


def _number(measure: str) -> int:
    last = measure.rpartition("-")[2]
    return int(last) if last.isdecimal() else 0


def _compared(figures: Figures, system: str, measure: str | None, value: str) -> Compared | None:
    spread = None if measure is None else figures.spread(system, measure, value)
    return None if measure is None or spread is None else Compared(system, measure, spread)
