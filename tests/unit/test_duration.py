from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toril.errors import OptionError
from toril.model.duration import MAX_MS, datetime_to_ms, instant_or_none, ms_to_datetime, positive_ms, to_ms

INSTANTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]))


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (0, 0),
        (5, 5000),
        (1.5, 1500),
        (1.1, 1100),
        (0.0004, 0),
        (0.0006, 1),
        (timedelta(0), 0),
        (timedelta(minutes=5), 300_000),
        (timedelta(microseconds=1499), 1),
        (timedelta(microseconds=1501), 2),
        (timedelta(milliseconds=2000.5), 2000),
        (MAX_MS // 1000, MAX_MS // 1000 * 1000),
    ],
)
def test_a_duration_is_seconds_or_a_timedelta(value: object, ms: int) -> None:
    assert to_ms(value, "delay") == ms


@given(st.integers(0, MAX_MS))
def test_whole_milliseconds_survive_as_timedelta(ms: int) -> None:
    assert to_ms(timedelta(milliseconds=1) * ms, "delay") == ms


@given(st.integers(0, 10**12))
def test_whole_milliseconds_survive_as_seconds(ms: int) -> None:
    assert to_ms(ms / 1000, "delay") == ms


@given(st.timedeltas(timedelta(0), timedelta(days=36_500)))
def test_rounding_is_off_by_half_a_millisecond_at_most(value: timedelta) -> None:
    assert abs(timedelta(milliseconds=1) * to_ms(value, "delay") - value) <= timedelta(microseconds=500)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (True, "must be seconds"),
        (False, "must be seconds"),
        ("5", "must be seconds"),
        (None, "must be seconds"),
        (Decimal(5), "must be seconds"),
        (float("nan"), "must be finite"),
        (float("inf"), "must be finite"),
        (float("-inf"), "must be finite"),
        (-1, "must not be negative"),
        (-0.0001, "must not be negative"),
        (timedelta(microseconds=-1), "must not be negative"),
        (MAX_MS, "is too long"),
        (1e300, "is too long"),
        (1e308, "is too long"),
        (10**400, "is too long"),
        (timedelta.max, "is too long"),
    ],
)
def test_what_is_no_duration_is_refused_by_name(value: object, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        to_ms(value, "delay")

    assert caught.value.option == "delay"
    assert caught.value.value is value


def test_an_instant_is_milliseconds_since_1970() -> None:
    at = datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    assert datetime_to_ms(at, "at") == 1_893_456_000_000
    assert ms_to_datetime(1_893_456_000_000) == datetime(2030, 1, 1, tzinfo=UTC)
    assert ms_to_datetime(0).tzinfo is UTC


@given(INSTANTS)
@example(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
@example(datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
def test_an_instant_loses_less_than_a_millisecond(at: datetime) -> None:
    lost = at - ms_to_datetime(datetime_to_ms(at, "at"))

    assert timedelta(0) <= lost < timedelta(milliseconds=1)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_milliseconds_survive_as_an_instant(ms: int) -> None:
    assert datetime_to_ms(ms_to_datetime(ms), "at") == ms


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_what_is_an_instant_is_read_as_one(ms: int) -> None:
    assert instant_or_none(ms) == ms_to_datetime(ms)


@pytest.mark.parametrize(
    "ms", [None, -62_135_596_800_001, 253_402_300_800_000, MAX_MS, -MAX_MS, 10**30, -(10**400)]
)
def test_what_is_no_instant_is_none(ms: int | None) -> None:
    assert instant_or_none(ms) is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None), "has no time zone"),
        (datetime(2030, 1, 1, tzinfo=UTC).date(), "must be a datetime"),
        (1_893_456_000, "must be a datetime"),
        ("2030-01-01", "must be a datetime"),
        (None, "must be a datetime"),
    ],
)
def test_what_is_no_instant_is_refused_by_name(value: object, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        datetime_to_ms(value, "at")

    assert caught.value.option == "at"


@pytest.mark.parametrize(("value", "least_ms"), [(0, 1), (0.0004, 1), (timedelta(0), 1), (0.009, 10)])
def test_what_is_too_short_is_refused_by_name(value: object, least_ms: int) -> None:
    with pytest.raises(OptionError, match=f"every=.*must be at least {least_ms / 1000:g} seconds"):
        positive_ms(value, "every", least_ms)


def test_what_is_just_long_enough_passes() -> None:
    assert (positive_ms(0.001, "every"), positive_ms(0.01, "every", 10)) == (1, 10)
