from __future__ import annotations

from typing import Any

import pytest

from benchmarks.delivery import check_added, check_counted, check_failed, check_partly_worked, check_worked
from benchmarks.process import MeasureError
from benchmarks.several import together


def test_jobs_that_arrived_once_are_accepted() -> None:
    added = check_added("it", {"ids": ["1", "2"], "waiting": 5}, 2, waited=3)
    check_worked("it", {"ids": ["2", "1"], "completed": 2}, added)

    assert added == ["1", "2"]


@pytest.mark.parametrize(
    "result",
    [
        {"ids": ["1"], "waiting": 2},
        {"ids": ["1", "1"], "waiting": 2},
        {"ids": ["1", "2"], "waiting": 1},
    ],
)
def test_adds_that_went_wrong_are_told(result: dict[str, Any]) -> None:
    with pytest.raises(MeasureError, match="2 jobs were to be added"):
        check_added("it", result, 2)


@pytest.mark.parametrize(
    ("ids", "completed", "said"),
    [
        (["1"], 2, "1 never seen \\(2\\)"),
        (["1", "2", "2"], 2, "1 seen more than once \\(2\\)"),
        (["1", "2", "3"], 2, "1 seen but not added \\(3\\)"),
        (["1", "2"], 1, "1 kept as completed"),
    ],
)
def test_jobs_that_were_lost_or_doubled_are_told(ids: list[str], completed: int, said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        check_worked("it", {"ids": ids, "completed": completed}, ["1", "2"])


def test_several_workers_are_checked_as_one() -> None:
    told = together([{"ids": ["1"], "completed": 1}, {"ids": ["2"], "completed": 2}])

    assert told == {"ids": ["1", "2"], "completed": 2}
    with pytest.raises(MeasureError, match="1 seen more than once"):
        check_worked("it", together([told, {"ids": ["2"], "completed": 2}]), ["1", "2"])


@pytest.mark.parametrize(
    ("ids", "failed", "said"),
    [
        (["1", "1", "2"], 2, "1 not seen 2 times \\(2\\)"),
        (["1", "1", "2", "2", "2"], 2, "1 not seen 2 times \\(2\\)"),
        (["1", "1", "2", "2", "3"], 2, "1 seen but not added"),
        (["1", "1", "2", "2"], 1, "1 kept as failed"),
    ],
)
def test_failures_that_were_not_tried_again_are_told(ids: list[str], failed: int, said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        check_failed("it", {"ids": ids, "failed": failed}, ["1", "2"])


@pytest.mark.parametrize(
    ("ids", "completed", "said"),
    [
        (["1"], 1, "of 2 jobs, 1 were seen"),
        (["1", "1", "2"], 2, "1 seen more than once"),
        (["1", "2", "9"], 3, "1 seen but not added \\(9\\)"),
        (["1", "2"], 3, "3 kept as completed"),
    ],
)
def test_some_of_many_are_checked_too(ids: list[str], completed: int, said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        check_partly_worked("it", {"ids": ids, "completed": completed}, ["1", "2", "3", "4"], 2)


def test_what_arrived_as_it_should_passes_each_check() -> None:
    check_failed("it", {"ids": ["1", "2", "2", "1"], "failed": 2}, ["1", "2"])
    check_partly_worked("it", {"ids": ["1", "2", "3"], "completed": 3}, ["1", "2", "3", "4"], 2)
    check_counted("it", {"seen": 2, "completed": 2}, 2)
    with pytest.raises(MeasureError, match="2 were seen and 1 kept"):
        check_counted("it", {"seen": 2, "completed": 1}, 2)
