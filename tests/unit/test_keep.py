from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril.errors import OptionError
from toril.model.keep import KEEP_ALL, Keep, KeepOption, Retention, parse_keep, resolve_keep

KEEPS = st.builds(
    Keep,
    st.none() | st.integers(-1, 10**6),
    st.none() | st.integers(0, 10**6) | st.floats(0, 1e6) | st.timedeltas(timedelta(0), timedelta(days=999)),
    st.none() | st.integers(1, 10**6),
)


@pytest.mark.parametrize(
    ("wish", "stored"),
    [
        (True, True),
        (False, False),
        (0, 0),
        (10, 10),
        (-1, -1),
        (Keep(), {}),
        (Keep(10), {"count": 10}),
        (Keep(count=10, age=3600), {"count": 10, "age": 3600}),
        (Keep(age=timedelta(days=1), limit=50), {"age": 86_400, "limit": 50}),
        (Keep(age=0.5), {"age": 1}),
        (Keep(age=0), {"age": 0}),
        (Keep(age=1.001), {"age": 2}),
        ({"count": 3}, {"count": 3}),
        ({"age": 3600, "count": 10, "limit": 5}, {"age": 3600, "count": 10, "limit": 5}),
        ({"age": timedelta(minutes=1), "count": None}, {"age": 60}),
    ],
)
def test_a_wish_is_stored_as_bullmq_does(wish: object, stored: object) -> None:
    parsed = parse_keep(wish, "remove_on_complete")

    assert parsed == stored
    assert type(parsed) is type(stored)


@pytest.mark.parametrize(
    ("wish", "option", "problem"),
    [
        ("all", "keep", "must be a bool, an int, a Keep or a mapping"),
        (None, "keep", "must be a bool"),
        (1.5, "keep", "must be a bool"),
        (-2, "keep", "must be at least -1"),
        ({"count": -2}, "keep.count", "must be at least -1"),
        ({"count": True}, "keep.count", "must be a whole number"),
        ({"count": 1.0}, "keep.count", "must be a whole number"),
        ({"limit": 0}, "keep.limit", "must be at least 1"),
        ({"age": -1}, "keep.age", "must not be negative"),
        ({"age": "1h"}, "keep.age", "must be seconds"),
        ({"cuont": 1}, "keep.cuont", "did you mean 'keep.count'"),
    ],
)
def test_a_wrong_wish_is_refused_by_name(wish: object, option: str, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        parse_keep(wish, "keep")

    assert caught.value.option == option


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"count": -2}, "Keep.count"),
        ({"count": "5"}, "Keep.count"),
        ({"age": True}, "Keep.age"),
        ({"age": math.nan}, "Keep.age"),
        ({"limit": 0}, "Keep.limit"),
    ],
)
def test_a_wrong_keep_is_never_made(arguments: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as caught:
        Keep(**arguments)

    assert caught.value.option == option


@pytest.mark.parametrize(
    ("stored", "default", "retention"),
    [
        (None, None, Retention()),
        (True, None, Retention(0)),
        (False, None, Retention(KEEP_ALL)),
        (0, None, Retention(0)),
        (7, None, Retention(7)),
        (7.0, None, Retention(7)),
        ({"count": 3}, None, Retention(3)),
        ({"age": 60}, None, Retention(KEEP_ALL, 60)),
        ({"age": 0.5, "limit": 2}, None, Retention(KEEP_ALL, 1, 2)),
        ({"age": 60, "count": 0}, None, Retention(0, 60)),
        ({}, None, Retention()),
        (None, True, Retention(0)),
        (None, 5, Retention(5)),
        (None, Keep(count=5, age=60), Retention(5, 60)),
        (None, {"count": 5}, Retention(5)),
        (False, True, Retention(KEEP_ALL)),
        (2, Keep(age=60), Retention(2)),
        ("many", 5, Retention()),
        ([], 5, Retention()),
        (math.nan, 5, Retention()),
        ({"count": "many", "age": True}, 5, Retention()),
    ],
)
def test_the_job_decides_before_the_worker(
    stored: object, default: KeepOption | None, retention: Retention
) -> None:
    assert resolve_keep(stored, default) == retention


def test_a_wrong_default_is_refused() -> None:
    with pytest.raises(OptionError, match="must be at least -1"):
        resolve_keep(None, -2)


@given(KEEPS)
def test_a_keep_means_the_same_on_both_sides(keep: Keep) -> None:
    stored = parse_keep(keep, "remove_on_fail")
    retention = resolve_keep(stored, None)

    assert retention == resolve_keep(None, keep)
    assert retention.count == (KEEP_ALL if keep.count is None else keep.count)
    assert retention.limit == keep.limit
    assert (retention.age_s is None) == (keep.age is None)


@given(st.floats(0, 1e9))
def test_an_age_is_never_cut_short(seconds: float) -> None:
    age_s = resolve_keep(None, Keep(age=seconds)).age_s

    assert age_s is not None
    # Half a millisecond is below what a duration can say.
    assert seconds - 0.0005 <= age_s < seconds + 1.0005
