"""How many slots, or processes, there should be for the work there is: a decision over what was seen.

It knows nothing of workers: whoever has a number of something that takes jobs can ask it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from toril.errors import OptionError
from toril.model.checks import check_int
from toril.model.duration import Duration, positive_ms

# Jobs that wait too long make it grow by this much of what there is; by twice as much when that is far too
# long.
_GROWTH = 0.5
_FAR = 4.0
#: So many looks in a row must find that less is enough before there is less: earlier ones may be forgotten.
LOOKS = 5
# What is enough has this spare.
_SPARE = 1.25


@dataclass(frozen=True, slots=True)
class Autoscale:
    """As many as are needed so that jobs don't wait longer than ``target``, within bounds.

    Attributes:
        min: At least so many; also to begin with.
        max: At most so many.
        target: Seconds (or timedelta) that a job may wait before there are more.
        interval: Seconds (or timedelta) from one look to the next.
    """

    min: int
    max: int
    target: Duration = 1.0
    interval: Duration = 1.0


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen in one interval.

    Attributes:
        busy: How many had a job: the most at the same time, or what they come to if they were busy in parts.
        lag: For how long the next job has waited, in seconds; 0 if none waits.
        saturated: Whether the machine has nothing left to run more jobs with.
    """

    busy: float
    lag: float = 0.0
    saturated: bool = False


def check_autoscale(value: Autoscale, option: str) -> Autoscale:
    """Bounds and durations that make sense.

    Raises:
        OptionError: They don't.
    """
    check_int(value.min, f"{option}.min", 1)
    check_int(value.max, f"{option}.max", 1)
    if value.max < value.min:
        raise OptionError(f"{option}.max", value.max, f"must be at least min, {value.min}")
    positive_ms(value.target, f"{option}.target")
    positive_ms(value.interval, f"{option}.interval", 10)
    return value


def decide(scale: Autoscale, now: int, samples: Sequence[Sample]) -> int:
    """How many there should be from now on.

    It grows at once when all have work, jobs wait too long, and there is something left to run more with. It
    shrinks to what is needed, and some spare, when several looks in a row have found that to be less.

    Args:
        now: How many there are.
        samples: What was seen since the number was changed last, the latest one last.
    """
    wanted = now
    if samples and samples[-1].busy >= now:
        wanted += _growth(scale, now, samples[-1])
    elif len(samples) >= LOOKS:
        needed = max(sample.busy for sample in list(samples)[-LOOKS:])
        wanted = min(now, math.ceil(needed * _SPARE))
    return max(scale.min, min(wanted, scale.max))


def _growth(scale: Autoscale, now: int, sample: Sample) -> int:
    target = positive_ms(scale.target, "target") / 1000
    if sample.saturated or sample.lag <= target:
        return 0
    factor = _GROWTH * (2 if sample.lag > _FAR * target else 1)
    return math.ceil(now * factor)
