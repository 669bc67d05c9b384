"""How long a failed job waits before its next attempt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import floor
from typing import Any, TypeAlias, cast

from toril.errors import OptionError
from toril.model.checks import check_int, check_mapping, check_number, check_text, is_number
from toril.model.duration import MAX_MS, Duration, to_ms

# 2^63 times the shortest delay is above MAX_MS; a larger power would only overflow.
_MOST_DOUBLINGS = 63

_KEYS = ("type", "delay", "jitter", "maxDelay")

# BullMQ computes these two itself and stores their delay even if it is 0.
_NUMERIC = frozenset({"fixed", "exponential"})


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a failed job waits before its next attempt; made by one of the class methods.

    Attributes:
        type: ``fixed``, ``exponential``, ``linear``, or the name of a strategy that the worker knows.
        delay_ms: The delay that ``type`` starts from, in milliseconds.
        jitter: The share of the delay that is random: 0 none, 0.5 anything from half to all of it, 1 all.
        max_delay_ms: Never wait longer, in milliseconds; ``None`` is no limit. toril's own: a worker of
            BullMQ ignores it.

    Raises:
        OptionError: A wrong type or range.
    """

    type: str
    delay_ms: float
    jitter: float = 0.0
    max_delay_ms: int | None = None

    def __post_init__(self) -> None:
        if not check_text(self.type, "type"):
            raise OptionError("type", self.type, "a backoff needs a type")
        check_number(self.delay_ms, "delay_ms", 0, MAX_MS)
        check_number(self.jitter, "jitter", 0, 1)
        if self.max_delay_ms is not None:
            check_int(self.max_delay_ms, "max_delay_ms", 0, MAX_MS)

    @classmethod
    def fixed(cls, delay: Duration, *, jitter: float = 0, max_delay: Duration | None = None) -> Backoff:
        """The same delay each time.

        Args:
            delay: Seconds or timedelta.
            jitter: Share of the delay that is random, 0 to 1.
            max_delay: Never wait longer; seconds or timedelta.

        Raises:
            OptionError: A wrong type or range.
        """
        return cls._of("fixed", delay, jitter, max_delay)

    @classmethod
    def exponential(cls, delay: Duration, *, jitter: float = 0, max_delay: Duration | None = None) -> Backoff:
        """``delay``, then twice, four times, eight times as long.

        Args:
            delay: Before the second attempt; seconds or timedelta.
            jitter: Share of the delay that is random, 0 to 1.
            max_delay: Never wait longer; seconds or timedelta. A worker of BullMQ ignores it.

        Raises:
            OptionError: A wrong type or range.
        """
        return cls._of("exponential", delay, jitter, max_delay)

    @classmethod
    def linear(cls, delay: Duration, *, jitter: float = 0, max_delay: Duration | None = None) -> Backoff:
        """``delay``, then twice, three times, four times as long.

        This is toril's own. A worker of BullMQ takes ``linear`` for the name of a custom strategy; without
        one that answers to it, the job stays active after a failure until it counts as stalled.

        Args:
            delay: Before the second attempt; seconds or timedelta.
            jitter: Share of the delay that is random, 0 to 1.
            max_delay: Never wait longer; seconds or timedelta.

        Raises:
            OptionError: A wrong type or range.
        """
        return cls._of("linear", delay, jitter, max_delay)

    @classmethod
    def custom(cls, name: str, delay: Duration = 0) -> Backoff:
        """Whatever the worker's strategy of this name says.

        Args:
            name: As in the worker's ``backoff_strategies``.
            delay: For the strategy to look at; seconds or timedelta. 0 is not stored.

        Raises:
            OptionError: A wrong type or range.
        """
        return cls._of(name, delay, 0, None)

    @classmethod
    def _of(cls, kind: str, delay: Duration, jitter: float, max_delay: Duration | None) -> Backoff:
        most = None if max_delay is None else to_ms(max_delay, "max_delay")
        return cls(kind, to_ms(delay, "delay"), jitter, most)

    def to_stored(self) -> dict[str, Any]:
        """As BullMQ stores it: ``type``, ``delay`` in ms, ``jitter`` and ``maxDelay`` only where given."""
        stored: dict[str, Any] = {"type": self.type}
        if self.delay_ms or self.type in _NUMERIC:
            stored["delay"] = _plain(self.delay_ms)
        if self.jitter:
            stored["jitter"] = self.jitter
        if self.max_delay_ms is not None:
            stored["maxDelay"] = self.max_delay_ms
        return stored


#: A ``Backoff``, a duration (fixed), or BullMQ's own mapping: ``{"type", "delay", "jitter"}``, in ms.
BackoffOption: TypeAlias = Backoff | Duration | Mapping[str, Any]


def _plain(number: float) -> float:
    """Without ``.0``: other clients write whole milliseconds as integers."""
    return int(number) if number == int(number) else number


def parse(value: object, option: str) -> Backoff:
    """A caller's wish.

    Args:
        value: A ``BackoffOption``.
        option: Its name, for the error.

    Raises:
        OptionError: It is something else, or out of range.
    """
    if isinstance(value, Backoff):
        return value
    if isinstance(value, Mapping):
        return _of_mapping(check_mapping(cast("object", value), option, _KEYS), option)
    if isinstance(value, int | float | timedelta):
        return Backoff("fixed", to_ms(value, option))
    raise OptionError(option, value, "must be a Backoff, a duration or a mapping")


def parse_stored(value: object, option: str) -> dict[str, Any]:
    """A caller's wish as it is stored: ``parse`` and ``to_stored`` in one.

    Raises:
        OptionError: It is something else, or out of range.
    """
    # By far the most frequent wish is a plain duration, which needs no object in between.
    if isinstance(value, int | float | timedelta):
        return {"type": "fixed", "delay": to_ms(value, option)}
    return parse(value, option).to_stored()


def _of_mapping(given: Mapping[str, object], option: str) -> Backoff:
    kind = check_text(given.get("type", ""), f"{option}.type")
    if not kind:
        raise OptionError(option, dict(given), "needs a type, such as 'fixed' or 'exponential'")
    delay = check_number(given.get("delay", 0), f"{option}.delay", 0, MAX_MS)
    jitter = check_number(given.get("jitter", 0), f"{option}.jitter", 0, 1)
    most = given.get("maxDelay")
    return Backoff(
        kind,
        delay,
        jitter,
        None if most is None else int(check_number(most, f"{option}.maxDelay", 0, MAX_MS)),
    )


def from_stored(value: object) -> Backoff | None:
    """What a job says, whoever wrote it; ``None`` if it says nothing that can be understood.

    Args:
        value: A mapping, or a bare number of milliseconds. Out of range counts as not given.
    """
    if is_number(value):
        return Backoff("fixed", _in_range(value, MAX_MS) or 0)
    if not isinstance(value, Mapping):
        return None
    stored = cast("Mapping[str, object]", value)
    kind = stored.get("type")
    if not isinstance(kind, str) or not kind:
        return None
    most = _in_range(stored.get("maxDelay"), MAX_MS)
    return Backoff(
        kind,
        _in_range(stored.get("delay"), MAX_MS) or 0,
        _in_range(stored.get("jitter"), 1) or 0.0,
        None if most is None else int(most),
    )


def _in_range(value: object, most: float) -> float | None:
    if not is_number(value):
        return None
    number = cast("float", value)
    return number if 0 <= number <= most else None


def next_delay_ms(backoff: Backoff, attempts_made: int, random: Callable[[], float]) -> int | None:
    """How long to wait before the next attempt, in whole milliseconds; 0 is at once.

    Args:
        attempts_made: Attempts that have failed, this one included: 1 after the first.
        random: Gives a number from 0 up to, but not including, 1.

    Returns:
        ``None`` when only a custom strategy knows. A strategy of the worker that is named ``linear`` must be
        asked before this function, as a worker of BullMQ would.
    Source: backoffs, BullMQ 6.7. ``max_delay_ms`` cuts the delay before the jitter, so that jobs that have
        reached it are still spread.
    """
    longest = _longest_ms(backoff, max(attempts_made, 1))
    if longest is None:
        return None
    most = MAX_MS if backoff.max_delay_ms is None else backoff.max_delay_ms
    capped = min(longest, most)
    if backoff.jitter:
        # The sum of two rounded products can be one above what it was made of.
        return min(floor(random() * capped * backoff.jitter + capped * (1 - backoff.jitter)), floor(capped))
    return min(floor(capped + 0.5), most)


def _longest_ms(backoff: Backoff, attempt: int) -> float | None:
    if backoff.type == "fixed":
        return backoff.delay_ms
    if backoff.type == "exponential":
        return floor(2.0 ** min(attempt - 1, _MOST_DOUBLINGS) * backoff.delay_ms + 0.5)
    if backoff.type == "linear":
        return attempt * backoff.delay_ms
    return None
