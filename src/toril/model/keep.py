"""How many finished jobs are kept, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, TypeAlias, cast

import msgspec

from toril.errors import OptionError
from toril.model.checks import check_int, check_mapping, is_number
from toril.model.duration import MAX_MS, Duration, to_ms

#: Stored count that means: all of them. Source: BullMQ 6.7.
KEEP_ALL = -1

_KEYS = ("count", "age", "limit")


@dataclass(frozen=True, slots=True)
class Keep:
    """Which finished jobs stay; the rest is removed whenever a job finishes.

    Attributes:
        count: At most so many, the newest; 0 none, ``None`` or -1 any number.
        age: Only those that finished less than so long ago (seconds or timedelta; rounded up to whole
            seconds); ``None`` of any age.
        limit: Remove at most so many for their age at a time; ``None`` is 1000.

    Raises:
        OptionError: A wrong type or range.
    """

    count: int | None = None
    age: Duration | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        _check({"count": self.count, "age": self.age, "limit": self.limit}, "Keep")

    def to_stored(self) -> dict[str, int]:
        """As BullMQ stores it: ``age`` in seconds, and nothing that isn't set."""
        stored: dict[str, int] = {}
        if self.count is not None:
            stored["count"] = self.count
        if self.age is not None:
            stored["age"] = _age_s(self.age, "age")
        if self.limit is not None:
            stored["limit"] = self.limit
        return stored


#: ``True`` keeps none, ``False`` all, a number so many; a mapping has the keys of ``Keep``, age in seconds.
KeepOption: TypeAlias = bool | int | Keep | Mapping[str, Any]


class Retention(msgspec.Struct, frozen=True):
    """What to do with a job that finishes, and with those before it.

    Attributes:
        count: Keep so many; 0 none, -1 all.
        age_s: Remove those older than so many seconds; ``None`` none.
        limit: At most so many a time for their age; ``None`` is 1000.
    """

    count: int = KEEP_ALL
    age_s: int | None = None
    limit: int | None = None

    @property
    def wire(self) -> tuple[int, int | bool, int | bool]:
        """The same for a script, which knows no ``None``."""
        return (
            self.count,
            False if self.age_s is None else self.age_s,
            False if self.limit is None else self.limit,
        )


_ALL = Retention()
_NONE = Retention(0)


def parse_keep(value: object, option: str) -> bool | int | dict[str, int]:
    """A caller's wish, as it is stored.

    Args:
        value: A ``KeepOption``; a number may be -1, for all.
        option: Its name, for the error.

    Raises:
        OptionError: It is something else.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, Keep):
        return value.to_stored()
    if isinstance(value, Mapping):
        return _check(check_mapping(cast("object", value), option, _KEYS), option)
    if isinstance(value, int):
        return check_int(value, option, KEEP_ALL)
    raise OptionError(option, value, "must be a bool, an int, a Keep or a mapping")


def _check(given: Mapping[str, object], option: str) -> dict[str, int]:
    stored: dict[str, int] = {}
    for key, least in (("count", KEEP_ALL), ("limit", 1)):
        value = given.get(key)
        if value is not None:
            stored[key] = check_int(value, f"{option}.{key}", least)
    age = given.get("age")
    if age is not None:
        stored["age"] = _age_s(age, f"{option}.age")
    return stored


def _age_s(age: object, option: str) -> int:
    """Whole seconds, rounded up: half a second must not become "remove at once"."""
    return -(-to_ms(age, option) // 1000)


def resolve_keep(stored: object, default: KeepOption | None) -> Retention:
    """What applies to a job: its own option, else the worker's, else all are kept.

    Args:
        stored: The job's stored option; ``None`` when it has none. Other clients may have written anything;
            what can't be understood keeps all.
        default: The worker's option.

    Raises:
        OptionError: ``default`` is wrong.
    Source: keepJobs, BullMQ 6.7.
    """
    if stored is None:
        stored = None if default is None else parse_keep(default, "default")
    if isinstance(stored, bool):
        return _NONE if stored else _ALL
    if isinstance(stored, Mapping):
        return _of_object(cast("Mapping[str, object]", stored))
    count = _whole(stored)
    return _ALL if count is None else Retention(count)


def _of_object(stored: Mapping[str, object]) -> Retention:
    count = _whole(stored.get("count"))
    return Retention(
        KEEP_ALL if count is None else count, _whole(stored.get("age")), _whole(stored.get("limit"))
    )


def _whole(value: object) -> int | None:
    """A number of another client, rounded up: a fraction more is kept, not less."""
    return min(ceil(cast("float", value)), MAX_MS) if is_number(value) else None
