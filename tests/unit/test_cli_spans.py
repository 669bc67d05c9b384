"""Spans of time on the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril import OptionError
from toril.cli.spans import is_span, seconds_of, shown


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("10m", 600),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("2w", 1_209_600),
    ],
)
def test_what_people_write(text: str, seconds: float) -> None:
    assert is_span(text)
    assert seconds_of(text, "delay") == seconds


@pytest.mark.parametrize("text", ["", "-1", "soon", "10 m", "1h30", "m", "1e3", "١٠", "10M", "nan"])
def test_what_is_no_span(text: str) -> None:
    assert not is_span(text)
    with pytest.raises(OptionError, match="delay"):
        seconds_of(text, "delay")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0ms"),
        (0.25, "250ms"),
        (1.25, "1.2s"),
        (90, "90s"),
        (119, "119s"),
        (120, "2m"),
        (7200, "2h"),
        (200_000, "2d"),
    ],
)
def test_what_people_read(seconds: float | None, text: str) -> None:
    assert shown(seconds) == text


@given(st.floats(0, 1e9))
def test_what_is_shown_is_short(seconds: float) -> None:
    assert 2 <= len(shown(seconds)) <= 8
