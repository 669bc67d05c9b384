"""How long jobs may run, and how long they may wait: as it is stored, and which rule holds for a job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from toril.errors import OptionError
from toril.model.checks import check_keyed, check_text, is_number
from toril.model.duration import Duration, positive_ms
from toril.model.job import Fields, JobRecord

#: Where toril's own options are in the stored options of a job; BullMQ carries them along and heeds none.
OWN = "toril"

#: One limit for all jobs, or limits by the name of jobs, with ``"*"`` for all other names.
TimeLimitOption = Duration | Mapping[str, Duration | None]

_OTHERS = "*"
# Bytes of stored options that hold one of them.
_SHORTEST = len('{"toril":{"timeout":1}}')


class TimeLimit(NamedTuple):
    """How long one attempt may run, in ms; ``None`` is any time.

    Attributes:
        hard_ms: Then it is stopped.
        soft_ms: Then it is told.
    """

    hard_ms: int | None
    soft_ms: int | None


class TimeRules:
    """The limits of a worker by the names of jobs. What a job says itself goes before them.

    Args:
        hard: Limits in ms as ``parse_time_limits`` gives them.
        soft: The same for soft ones.

    Attributes:
        any: Whether there is any.

    Raises:
        OptionError: For some name the soft limit is not shorter than the hard one.
    """

    def __init__(self, hard: Mapping[str, int | None], soft: Mapping[str, int | None]) -> None:
        for name in {*hard, *soft}:
            soft_ms = _for_name(soft, name)
            seconds = None if soft_ms is None else soft_ms / 1000
            check_order(_for_name(hard, name), soft_ms, f"soft_timeout[{name!r}]", seconds)
        self._hard = hard
        self._soft = soft
        self.any: bool = bool(hard or soft)

    def of(self, job: JobRecord) -> TimeLimit | None:
        """What holds for a job; ``None`` if nothing does."""
        own, name = own_options(job), job.name
        hard_ms = _stored_ms(own, "timeout") or _for_name(self._hard, name)
        soft_ms = _stored_ms(own, "softTimeout") or _for_name(self._soft, name)
        return None if hard_ms is None and soft_ms is None else TimeLimit(hard_ms, soft_ms)


def parse_time_limits(value: object, option: str) -> dict[str, int | None]:
    """Limits in ms by the names of jobs.

    Raises:
        OptionError: It is neither a duration nor a mapping of names to durations.
    """
    if not isinstance(value, Mapping):
        return {_OTHERS: positive_ms(value, option)}
    limits: dict[str, int | None] = {}
    for name, limit in check_keyed(cast("object", value), option).items():
        place = f"{option}[{check_text(name, option)!r}]"
        limits[name] = None if limit is None else positive_ms(limit, place)
    return limits


def check_order(hard_ms: int | None, soft_ms: int | None, option: str, value: object) -> None:
    """Refuse a soft limit that would never be reached.

    Raises:
        OptionError: It is not shorter than the hard one.
    """
    if hard_ms is not None and soft_ms is not None and soft_ms >= hard_ms:
        raise OptionError(option, value, f"must be shorter than the timeout, {hard_ms / 1000:g} seconds")


def may_have_own(fields: Fields) -> bool:
    """Whether the job may have options of toril's own; cheap, since each job is asked."""
    opts = fields.get(b"opts", b"")
    return len(opts) >= _SHORTEST and b'"toril"' in opts


def own_options(job: JobRecord) -> dict[str, Any]:
    """What the job's options say to toril alone; empty for what is no mapping."""
    own = job.stored_opts.get(OWN)
    return cast("dict[str, Any]", own) if isinstance(own, dict) else {}


def is_expired(job: JobRecord, now_ms: int) -> bool:
    """Whether the job waited longer for this start than it may, its delay when it was added not counted."""
    allowed_ms = _stored_ms(own_options(job), "expiresIn")
    delay = job.stored_opts.get("delay", 0)
    due_ms = job.timestamp_ms + (delay if is_number(delay) else 0)
    return allowed_ms is not None and now_ms > due_ms + allowed_ms


def _for_name(limits: Mapping[str, int | None], name: str) -> int | None:
    return limits[name] if name in limits else limits.get(_OTHERS)


def _stored_ms(own: Mapping[str, Any], key: str) -> int | None:
    """Whoever else writes options may have stored anything; only a time is one."""
    value = own.get(key, 0)
    return int(value) if is_number(value) and value >= 1 else None
