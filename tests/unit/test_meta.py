"""The settings of a queue as callers see them."""

from __future__ import annotations

import pytest

from toril.core.meta import public_meta


@pytest.mark.parametrize(
    ("stored", "seen"),
    [
        ("5", 5),
        ("1.5", 1.5),
        ("1e3", 1000),
        ("", None),
        ("x", None),
        ("inf", None),
        ("nan", None),
        ("-2", -2),
    ],
)
def test_numbers_are_numbers_or_nothing(stored: str, seen: float | None) -> None:
    meta = {"concurrency": stored, "opts.maxLenEvents": stored, "max": stored, "duration": stored}

    assert public_meta(meta) == {
        "paused": False,
        "concurrency": seen,
        "max_len_events": seen,
        "max": seen,
        "duration": seen,
    }


@pytest.mark.parametrize(("stored", "paused"), [("1", True), ("0", False), ("", False), ("yes", False)])
def test_a_queue_is_paused_by_the_one_value(stored: str, paused: bool) -> None:
    assert public_meta({"paused": stored, "own": "1"}) == {"paused": paused, "own": "1"}
