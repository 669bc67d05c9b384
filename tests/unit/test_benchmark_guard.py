"""Budgets, verdicts and what is counted: by files and processes, without a server where none is needed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.guard.budgets import (
    ANYWHERE,
    MARGINS,
    Budgets,
    Count,
    budget_of,
    judge,
    read,
    updated,
    write,
)
from benchmarks.guard.callgrind import stretches
from benchmarks.guard.meters import Blocks, Peak, Steps
from benchmarks.guard.report import conclusions, table
from benchmarks.guard.scenarios import SCENARIOS, choose

OTHER = "Python 9.9"


def count(value: float, measure: str = "script calls", basis: str = ANYWHERE) -> Count:
    return Count(basis, "drain-1", measure, value)


def budgets(limit: float) -> Budgets:
    return {ANYWHERE: {"drain-1": {"script calls": limit}}}


# --- verdicts ---


def test_a_count_may_be_as_high_as_its_budget_and_no_higher() -> None:
    within, above = judge([count(1.02), count(1.03)], budgets(1.02))

    assert not within.fails
    assert above.fails


def test_a_count_that_has_become_much_lower_is_told_and_passes() -> None:
    (verdict,) = judge([count(0.5)], budgets(1.02))

    assert verdict.is_far_below
    assert not verdict.fails
    assert "lower it by `make bench-guard ARGS=--update`" in "\n".join(conclusions([verdict]))


def test_a_count_near_its_budget_is_not_called_far_below() -> None:
    assert not judge([count(0.95)], budgets(1.02))[0].is_far_below


def test_a_count_without_a_budget_fails_where_others_have_one() -> None:
    (verdict,) = judge([count(1, "commands")], budgets(1.02))

    assert verdict.fails
    assert "NO BUDGET" in table([verdict])[1]


def test_what_depends_on_another_python_is_told_and_not_judged() -> None:
    (verdict,) = judge([count(1000, "bytecodes", OTHER)], budgets(1.02))

    assert not verdict.fails
    assert f"no budgets for {OTHER}" in conclusions([verdict])[0]


def test_even_with_no_file_what_depends_on_nothing_is_judged() -> None:
    assert judge([count(1)], {})[0].fails


def test_the_table_names_measure_count_budget_and_room() -> None:
    lines = table(judge([count(2, "bytes sent"), count(3)], budgets(2.4)))

    assert lines[0].split() == ["scenario", "measure", "count", "budget", "room"]
    assert lines[2].split() == [
        "drain-1",
        "script",
        "calls",
        "a",
        "job",
        "3",
        "2.4",
        "-25.0%",
        "ABOVE",
        "BUDGET",
    ]
    assert "2 counts are above their budget or have none:" in conclusions(
        judge([count(2, "bytes sent"), count(3)], budgets(2.4))
    )


def test_what_a_count_is_the_sum_of_is_told_when_it_is_too_high() -> None:
    dear = Count(ANYWHERE, "drain-1", "script calls", 3.0, {"eval": 0.5, "evalsha": 2.5})

    assert "  drain-1: script calls (anywhere): eval 0.5, evalsha 2.5" in conclusions(
        judge([dear], budgets(1.02))
    )


# --- budgets ---


@pytest.mark.parametrize(
    ("value", "budget"),
    [(1.0, 1.02), (0.02, 0.0204), (123_456.0, 125_926.0), (0.0, 0.0), (0.123456, 0.126)],
)
def test_a_budget_is_the_count_and_a_margin_rounded_up(value: float, budget: float) -> None:
    assert budget_of(count(value)) == pytest.approx(budget, rel=1e-9)


def test_a_budget_is_never_below_what_was_counted() -> None:
    for measure in MARGINS:
        for value in (0.0, 1e-4, 0.01, 1 / 3, 9.9999, 1e6 / 7):
            assert budget_of(count(value, measure)) >= value


def test_a_count_below_zero_has_a_budget_above_it() -> None:
    assert budget_of(count(-0.2, "blocks left")) == 0.5


def test_budgets_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "budgets.toml"
    kept = updated({}, [count(1), count(22.5, "commands"), count(903.4, "bytecodes", OTHER)], ["drain-1"])
    write(path, kept)

    assert read(path) == kept
    assert kept[OTHER]["drain-1"] == {"bytecodes": 948.6}


def test_an_update_keeps_what_was_not_counted_and_drops_what_is_no_more() -> None:
    before = {
        ANYWHERE: {"drain-1": {"script calls": 9.0, "gone": 1.0}, "add-one": {"commands": 5.0}},
        OTHER: {"drain-1": {"bytecodes": 7.0}, "no-more": {"bytecodes": 7.0}},
    }

    after = updated(before, [count(1)], ["drain-1", "add-one"])

    assert after[ANYWHERE] == {"drain-1": {"script calls": 1.02}, "add-one": {"commands": 5.0}}
    assert after[OTHER] == {"drain-1": {"bytecodes": 7.0}}


def test_without_a_file_there_are_no_budgets(tmp_path: Path) -> None:
    assert read(tmp_path / "none.toml") == {}


def test_the_file_of_budgets_is_about_the_scenarios_and_measures_there_are() -> None:
    written = read(Path(sys.modules[budget_of.__module__].__file__ or "").with_name("budgets.toml"))

    assert set(written[ANYWHERE]) == {scenario.name for scenario in SCENARIOS}
    assert {m for tables in written.values() for table in tables.values() for m in table} == set(MARGINS)


# --- counting ---


def test_an_unknown_scenario_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no scenario drane; there are add-one, .*drain-100"):
        choose(["drane"])


def test_steps_and_calls_are_those_in_between_and_the_same_each_time() -> None:
    def work() -> int:
        return len("abc") + len("de")

    seen: list[dict[str, float]] = []
    meter = Steps()
    for repeats in (1, 1, 2):
        meter.start()
        for _ in range(repeats):
            work()
        seen.append(meter.stop())

    once, again, twice = seen
    assert once == again
    # Three calls for each piece of work; besides, the meter's own end is seen.
    assert twice["calls"] - once["calls"] == 3
    assert twice["bytecodes"] > once["bytecodes"] > 5


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_blocks_that_stay_are_counted_garbage_in_cycles_included() -> None:
    def litter(pieces: int) -> float:
        meter = Blocks()
        meter.start()
        for _ in range(pieces):
            cycle: list[object] = []
            cycle.append(cycle)
        return meter.stop()["blocks left"]

    assert litter(1000) - litter(0) >= 1000


def test_the_peak_counts_what_was_let_go_since() -> None:
    meter = Peak()
    meter.start()
    held = bytearray(500_000)
    del held

    assert meter.stop()["peak bytes"] >= 500_000


def test_stretches_are_read_in_the_order_in_which_they_were_counted(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        (tmp_path / f"stretch.{number}").write_text(f"version: 1\nevents: Ir\ntotals: {number * 100}\n")
    (tmp_path / "stretch").write_text("totals: 7\n")

    assert stretches(tmp_path) == [100, 200, 1000]
