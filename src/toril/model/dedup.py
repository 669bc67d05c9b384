"""Deduplication: of several adds that mean the same, one job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from toril.errors import OptionError
from toril.model.checks import check_bool, check_mapping, check_number, check_text
from toril.model.duration import MAX_MS, Duration, to_ms

_FLAGS = ("extend", "replace", "reschedule", "keepLastIfActive")
_KEYS = ("id", "ttl", *_FLAGS)


@dataclass(frozen=True, slots=True)
class Dedup:
    """Which adds mean the same job, and what becomes of the later ones.

    Attributes:
        id: Adds of the same id in the same queue are duplicates of each other.
        ttl: For so long after the first add, even if its job has finished by then (seconds or timedelta);
            ``None`` (or 0) until the job has finished or is removed.
        extend: Each duplicate starts ``ttl`` anew.
        replace: A duplicate takes the place of a job that is still delayed.
        reschedule: A duplicate gives its own delay to a job that is still delayed.
        keep_last_if_active: While the job runs, remember the latest duplicate and add it when the job has
            finished; ``ttl`` is ignored then.

    Raises:
        OptionError: A wrong type or range.
    """

    id: str
    ttl: Duration | None = None
    extend: bool = False
    replace: bool = False
    reschedule: bool = False
    keep_last_if_active: bool = False

    def __post_init__(self) -> None:
        _check_id(self.id, "id")
        if self.ttl is not None:
            to_ms(self.ttl, "ttl")
        for option in ("extend", "replace", "reschedule", "keep_last_if_active"):
            check_bool(getattr(self, option), option)

    @classmethod
    def simple(cls, id: str) -> Dedup:
        """One job at a time: duplicates are dropped until it has finished."""
        return cls(id)

    @classmethod
    def throttle(cls, id: str, ttl: Duration) -> Dedup:
        """One job each ``ttl`` (seconds or timedelta): duplicates within it are dropped."""
        return cls(id, ttl)

    @classmethod
    def debounce(cls, id: str, ttl: Duration) -> Dedup:
        """The last one wins, once there is quiet; give the job a ``delay`` of the same length."""
        return cls(id, ttl, extend=True, replace=True)

    def to_stored(self) -> dict[str, Any]:
        """As BullMQ stores it: ``ttl`` in ms, and nothing that isn't set."""
        stored: dict[str, Any] = {"id": self.id}
        if self.ttl is not None:
            stored["ttl"] = to_ms(self.ttl, "ttl")
        flags = (self.extend, self.replace, self.reschedule, self.keep_last_if_active)
        return stored | {key: True for key, flag in zip(_FLAGS, flags, strict=True) if flag}


#: A ``Dedup``, or BullMQ's own mapping: ``{"id", "ttl", "extend", ...}``, in ms and camelCase.
DedupOption: TypeAlias = Dedup | Mapping[str, Any]


def parse_dedup(value: object, option: str) -> dict[str, Any]:
    """A caller's wish, as it is stored and as the add script reads it; ``ttl`` is whole ms.

    Args:
        value: A ``DedupOption``.
        option: Its name, for the error.

    Raises:
        OptionError: It is something else, or has no id.
    """
    if isinstance(value, Dedup):
        return value.to_stored()
    if not isinstance(value, Mapping):
        raise OptionError(option, value, "must be a Dedup or a mapping")
    given = check_mapping(cast("object", value), option, _KEYS)
    stored: dict[str, Any] = {"id": _check_id(given.get("id", ""), f"{option}.id")}
    if "ttl" in given:
        stored["ttl"] = round(check_number(given["ttl"], f"{option}.ttl", 0, MAX_MS))
    return stored | {key: check_bool(given[key], f"{option}.{key}") for key in _FLAGS if key in given}


def _check_id(value: object, option: str) -> str:
    text = check_text(value, option)
    if not text:
        raise OptionError(option, value, "deduplication needs an id")
    return text
