"""What ``top`` shows, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

#: The percentiles that are shown.
SHOWN = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSample:
    """A queue.

    Attributes:
        counts: How many jobs are in each state.
        rates: Jobs a second that were ``added``, ``completed`` and ``failed``, over the last seconds.
        partial: Whether the rates are too low, because more happened than could be followed.
        wait: Seconds that jobs waited for a slot, by percentile; empty if none has completed.
        run: Seconds that they ran.
        workers: Who works on it.
    """

    name: str
    paused: bool
    counts: Mapping[str, int]
    rates: Mapping[str, float]
    partial: bool
    wait: Mapping[int, float]
    run: Mapping[int, float]
    workers: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that is being run.

    Attributes:
        age: Seconds since it was started.
        attempt: Which attempt it is.
        worker: Name of its worker, if that has one.
    """

    queue: str
    id: str
    name: str
    age: float
    attempt: int
    worker: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """All of it at a moment; the jobs that have run longest come first."""

    at: datetime
    queues: Sequence[QueueSample]
    running: Sequence[RunningJob]


def percentiles(seconds: Sequence[float]) -> dict[int, float]:
    """The values below which so many in a hundred are: values that were measured, not means of them."""
    ordered = sorted(seconds)
    return {each: ordered[ceil(each / 100 * len(ordered)) - 1] for each in SHOWN} if ordered else {}
