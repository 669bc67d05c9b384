"""Memory that grows steadily as jobs are run, and the names of jobs that explain it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

# A process gets bigger at its start, and now and then by what it keeps for reuse: that is no steady growth.
# So many samples are looked at, in parts, of which each must be above all that was before it.
SAMPLES = 24
_PARTS = 4
#: Growth over all samples below which nothing is said, in bytes.
LEAST = 32 * 1024 * 1024
# A name is told if it explains at least this part of the growth.
_SHARE = 0.2
# Rounds of the fit, and the names in it, those of most jobs: a few milliseconds when memory does grow.
_ROUNDS, _MOST_NAMES = 300, 10


class Sample(msgspec.Struct, frozen=True):
    """What happened between two looks at a process.

    Attributes:
        rss: Its memory at the second one, in bytes.
        jobs: How many jobs of each name came to an end between them.
    """

    rss: int
    jobs: Mapping[str, int]


def growth_by_name(samples: Sequence[Sample], least: int = LEAST) -> dict[str, int]:
    """Names of jobs with the bytes that each job seems to leave behind; empty without steady growth.

    It says nothing rather than something wrong: the growth must be above ``least``, go on through all of the
    time, and come with jobs.

    Args:
        samples: At equal distances, oldest first; too few say nothing.
        least: Bytes of growth below which nothing is said.
    """
    if len(samples) < SAMPLES or not _grows(samples, least):
        return {}
    deltas = [after.rss - before.rss for before, after in pairwise(samples)]
    counts = [sample.jobs for sample in samples[1:]]
    grown = sum(deltas)
    return {
        name: round(cost)
        for name, cost in _fit(deltas, counts).items()
        if cost >= 1 and cost * sum(jobs.get(name, 0) for jobs in counts) >= _SHARE * grown
    }


def _grows(samples: Sequence[Sample], least: int) -> bool:
    """Whether the least of each part is above the most of the part before it."""
    size = len(samples) // _PARTS
    parts = [[one.rss for one in samples[start : start + size]] for start in range(0, size * _PARTS, size)]
    steady = all(min(after) > max(before) for before, after in pairwise(parts))
    return steady and samples[-1].rss - samples[0].rss >= least


def _fit(deltas: Sequence[int], counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Bytes a job of each name, none negative, that fit the deltas best: least squares.

    Names that always come together share what they cost: nothing tells them apart.
    """
    totals = Counter[str]()
    for jobs in counts:
        totals.update(jobs)
    names = [name for name, _ in totals.most_common(_MOST_NAMES)]
    columns = [[jobs.get(name, 0) for jobs in counts] for name in names]
    norms = [math.hypot(*column) for column in columns]
    units = [[count / norm for count in column] for column, norm in zip(columns, norms, strict=True)]
    goals = [_product(unit, deltas) for unit in units]
    products = [[_product(one, other) for other in units] for one in units]
    found = [0.0] * len(names)
    for _ in range(_ROUNDS):
        steps = [goal - _product(row, found) for goal, row in zip(goals, products, strict=True)]
        found = [max(each + step / len(names), 0.0) for each, step in zip(found, steps, strict=True)]
    return {name: each / norm for name, each, norm in zip(names, found, norms, strict=True)}


def _product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
