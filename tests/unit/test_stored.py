"""Whatever was stored by whomever is read, or counts as absent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.stored import read_json, read_number, read_text, read_whole

LONG = b"9" * 5000


@pytest.mark.parametrize(
    ("stored", "whole", "number"),
    [
        (None, None, None),
        (b"", None, None),
        (b"7", 7, 7),
        ("7", 7, 7),
        (b"-7", -7, -7),
        (b"1.5", 1, 1.5),
        (b"1e3", 1000, 1000),
        (b"9007199254740993", 9007199254740993, 9007199254740992),
        (b"many", None, None),
        (b"\xff", None, None),
        (b"inf", None, None),
        (b"nan", None, None),
        (LONG, None, None),
    ],
)
def test_numbers(stored: bytes | str | None, whole: int | None, number: float | None) -> None:
    assert read_whole(stored) == whole
    assert read_number(stored) == number


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        (b'{"a":[1]}', {"a": [1]}),
        (b"null", None),
        (None, "default"),
        (b"{", "default"),
        (b"[" * 9999, "default"),
    ],
)
def test_json(stored: bytes | None, value: Any) -> None:
    assert read_json(stored, "default") == value


@given(st.binary(max_size=20))
def test_nothing_that_is_stored_raises(stored: bytes) -> None:
    assert isinstance(read_text(stored), str)
    read_json(stored)
    read_whole(stored)
    read_number(stored)


@pytest.mark.parametrize("ms", [b"1e300", b"99999999999999999999", b"-99999999999999999", LONG])
def test_a_job_whose_times_are_no_times_is_read_all_the_same(ms: bytes) -> None:
    fields = {b"name": b"work", b"timestamp": ms, b"processedOn": ms, b"finishedOn": ms}
    job = JobRecord(QueueRef("bull", "q"), "1", fields)

    seen = job.to_dict()

    assert (seen["name"], seen["processed_at"], seen["finished_at"]) == ("work", None, None)
    assert seen["created_at"].timestamp() == 0
