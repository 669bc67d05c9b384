"""Durations and instants as callers give them, and as whole milliseconds, which is what is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TypeAlias

from toril.errors import OptionError

#: How long: a plain number is seconds, whole or not.
Duration: TypeAlias = float | int | timedelta

#: Milliseconds; the largest whole number that every JSON reader holds exactly. It is 285,000 years.
MAX_MS = 2**53 - 1

#: 9999-12-31, the last day of a datetime, in ms since 1970.
LAST_MS = 253_402_214_400_000

#: Where milliseconds are counted from.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)


def to_ms(value: object, option: str) -> int:
    """A duration in whole milliseconds, rounded to the nearest.

    Args:
        value: Seconds (``int`` or ``float``) or a ``timedelta``; not negative.
        option: Its name, for the error.

    Raises:
        OptionError: It is no duration: a bool, a text, NaN, infinite, negative, or above ``MAX_MS``.
    """
    ms = _rounded_ms(value, option)
    if ms > MAX_MS:
        raise OptionError(option, value, f"is too long; at most {MAX_MS} milliseconds")
    return ms


def positive_ms(value: object, option: str, least_ms: int = 1) -> int:
    """A duration in whole milliseconds that is long enough; see ``to_ms``.

    Raises:
        OptionError: It is no duration, or below ``least_ms``.
    """
    ms = to_ms(value, option)
    if ms < least_ms:
        raise OptionError(option, value, f"must be at least {least_ms / 1000:g} seconds")
    return ms


def _rounded_ms(value: object, option: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | timedelta):
        raise OptionError(option, value, "must be seconds (int or float) or a timedelta")
    if isinstance(value, float) and not isfinite(value):
        raise OptionError(option, value, "must be finite")
    if isinstance(value, timedelta):
        # Whole microseconds, so that no bit of a long timedelta is lost in a float.
        micros = value // _MICROSECOND
        ms = round(micros, -3) // 1000
        negative = micros < 0
    else:
        ms = value * 1000 if isinstance(value, int) else _float_ms(value)
        negative = value < 0
    if negative:
        raise OptionError(option, value, "must not be negative")
    return ms


def _float_ms(seconds: float) -> int:
    product = seconds * 1000
    # Only a number far above MAX_MS overflows; the caller refuses it with the right words.
    return round(product) if isfinite(product) else round(seconds)


def datetime_to_ms(value: object, option: str) -> int:
    """An instant in whole milliseconds since 1970, exact; what is below a millisecond is dropped.

    Args:
        value: A ``datetime`` with a time zone.
        option: Its name, for the error.

    Raises:
        OptionError: It is no datetime, or a naive one, of which nobody knows the instant.
    """
    if not isinstance(value, datetime):
        raise OptionError(option, value, "must be a datetime with a time zone")
    if value.utcoffset() is None:
        raise OptionError(option, value, "has no time zone; write datetime.now(UTC) or .astimezone()")
    return (value - EPOCH) // _MILLISECOND


def ms_to_datetime(ms: int) -> datetime:
    """The instant so many milliseconds after 1970, in UTC, exact.

    Args:
        ms: May be negative.

    Raises:
        OverflowError: It is outside the years 1 to 9999, which is all a datetime can say.
    """
    return EPOCH + ms * _MILLISECOND


def instant_or_none(ms: int | None) -> datetime | None:
    """``ms_to_datetime`` for what was stored by anybody; ``None`` if it is outside the years 1 to 9999."""
    try:
        return None if ms is None else ms_to_datetime(ms)
    except OverflowError:
        return None
