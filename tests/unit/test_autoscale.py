"""How many slots there should be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril import Autoscale, OptionError, Worker
from toril.model.autoscale import Sample, decide

SCALE = Autoscale(2, 100, target=1.0)

samples = st.lists(
    st.builds(
        Sample, busy=st.integers(0, 120), lag=st.floats(0, 1e6, allow_nan=False), saturated=st.booleans()
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("now", "sample", "wanted"),
    [
        (10, Sample(busy=10, lag=1.5), 15),
        (10, Sample(busy=10, lag=60.0), 20),
        (2, Sample(busy=2, lag=1.5), 3),
        (90, Sample(busy=90, lag=60.0), 100),
        # They don't wait for long, or not for a slot, or more slots would not help.
        (10, Sample(busy=10, lag=0.9), 10),
        (10, Sample(busy=9, lag=60.0), 10),
        (10, Sample(busy=10, lag=60.0, saturated=True), 10),
        # One quiet look says nothing yet.
        (10, Sample(busy=0), 10),
    ],
)
def test_it_grows_when_jobs_wait_and_all_have_work(now: int, sample: Sample, wanted: int) -> None:
    assert decide(SCALE, now, [sample]) == wanted


def test_it_shrinks_to_what_is_needed_after_some_quiet_looks() -> None:
    quiet = [Sample(busy=busy) for busy in (3, 8, 3, 3)]

    assert decide(SCALE, 40, quiet) == 40
    assert decide(SCALE, 40, [*quiet, Sample(busy=1)]) == 10
    assert decide(SCALE, 40, [Sample(busy=39), *quiet, Sample(busy=1)]) == 10
    assert decide(SCALE, 40, [Sample(busy=0)] * 5) == 2


def test_nothing_seen_changes_nothing() -> None:
    assert decide(SCALE, 7, []) == 7


@given(now=st.integers(1, 300), seen=samples)
def test_it_stays_within_its_bounds(now: int, seen: list[Sample]) -> None:
    assert 2 <= decide(SCALE, now, seen) <= 100


@given(busy=st.integers(0, 100))
def test_a_steady_load_is_met_without_going_up_and_down(busy: int) -> None:
    slots = 100
    for _ in range(5):
        slots = decide(SCALE, slots, [Sample(busy=min(busy, slots))] * 5)

    assert busy <= slots <= max(2, busy * 1.25 + 1)
    assert decide(SCALE, slots, [Sample(busy=min(busy, slots))] * 5) == slots


@pytest.mark.parametrize(
    ("value", "option"),
    [
        ((0, 5), "concurrency.min"),
        ((5, 4), "concurrency.max"),
        ((1, 2.5), "concurrency.max"),
        ((1, True), "concurrency.max"),
        ((1,), "concurrency"),
        ((1, 2, 3), "concurrency"),
        ([1, 2], "concurrency"),
        ("5", "concurrency"),
        (0, "concurrency"),
        (Autoscale(1, 2, target=0), "concurrency.target"),
        (Autoscale(1, 2, target=float("nan")), "concurrency.target"),
        (Autoscale(1, 2, interval=0.001), "concurrency.interval"),
    ],
)
def test_bounds_that_make_no_sense_are_refused(value: Any, option: str) -> None:
    worker = Worker("tasks")
    with pytest.raises(OptionError) as made:
        Worker("tasks", concurrency=value)
    with pytest.raises(OptionError) as changed:
        worker.concurrency = value

    assert made.value.option == changed.value.option == option
    assert worker.concurrency == 1


def test_a_worker_begins_with_the_least() -> None:
    worker = Worker("tasks", concurrency=(3, 9))
    assert worker.concurrency == 3

    worker.concurrency = 6
    assert worker.concurrency == 6
    worker.concurrency = (1, 4)
    assert worker.concurrency == 4
