"""How many jobs were finished, minute by minute, and as text for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import cast

from toril.errors import OptionError
from toril.model.checks import check_keyed, check_text
from toril.model.duration import instant_or_none
from toril.model.stored import read_whole
from toril.store.values import MetricsRecord

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_OWN_LABELS = ("queue", "state")


class MetricsTime(IntEnum):
    """Numbers of minutes to keep counts for, for a worker's ``metrics_points``. Source: BullMQ 6.7."""

    ONE_MINUTE = 1
    FIVE_MINUTES = 5
    FIFTEEN_MINUTES = 15
    HALF_HOUR = 30
    ONE_HOUR = 60
    ONE_DAY = 1_440
    ONE_WEEK = 10_080
    TWO_WEEKS = 20_160
    #: Eight weeks, as BullMQ has it.
    ONE_MONTH = 80_640


@dataclass(frozen=True, slots=True)
class Metrics:
    """How many jobs completed, or failed for good, under workers that keep metrics.

    Attributes:
        count: Jobs in all.
        prev_ts: When the latest point was written; ``None`` if no job was counted yet.
        prev_count: How many jobs had been counted then, without the one that wrote it.
        data: Jobs of each minute, the latest first. The minute that is not over yet is not among them, and
            idle minutes are zeros. A point is written by the first job of a later minute.
        points: How many points are kept; ``data`` may be a part of them.
    """

    count: int
    prev_ts: datetime | None
    prev_count: int
    data: list[int]
    points: int

    @classmethod
    def of(cls, record: MetricsRecord) -> Metrics:
        """Metrics as they are stored; what is no number counts as 0."""
        return cls(
            _number(record.count),
            instant_or_none(_number(record.previous_ms) or None),
            _number(record.previous_count),
            [_number(point) for point in record.points],
            record.kept,
        )


def _number(stored: bytes | None) -> int:
    return read_whole(stored) or 0


def check_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Labels for every line of a Prometheus text.

    Raises:
        OptionError: A name can't be used, or a value is no text.
    """
    checked: dict[str, str] = {}
    for name, value in check_keyed(labels or {}, "labels").items():
        if not isinstance(cast("object", name), str) or not _LABEL.fullmatch(name) or name.startswith("__"):
            problem = "must be letters, digits and '_', not begin with a digit, nor with '__'"
            raise OptionError("labels", name, problem)
        if name in _OWN_LABELS:
            raise OptionError("labels", name, "is a label that every line has already")
        checked[name] = check_text(value, f"labels[{name!r}]")
    return checked


def prometheus_text(
    queue: str, counts: Mapping[str, int], completed: int, failed: int, labels: Mapping[str, str]
) -> str:
    """The text format of Prometheus, with the names that BullMQ uses. Source: BullMQ 6.7."""
    more = "".join(f', {name}="{_escaped(value)}"' for name, value in labels.items())
    own = f'queue="{_escaped(queue)}"'
    lines = [
        "# HELP bullmq_job_count Number of jobs in the queue by state",
        "# TYPE bullmq_job_count gauge",
        *(f'bullmq_job_count{{{own}, state="{state}"{more}}} {count}' for state, count in counts.items()),
    ]
    for kind, count in (("completed", completed), ("failed", failed)):
        name = f"bullmq_job_{kind}_total"
        lines += [
            f"# HELP {name} Total number of {kind} jobs",
            f"# TYPE {name} counter",
            f"{name}{{{own}{more}}} {count}",
        ]
    return "\n".join(lines)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
