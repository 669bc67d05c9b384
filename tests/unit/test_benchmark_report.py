from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.figures import Figures, Sample, Spread, percentile
from benchmarks.floors import FLOORS, Floor
from benchmarks.plan import plan
from benchmarks.report import Run, as_json, markdown, number
from benchmarks.systems import OURS, RIVAL

DRAIN, *_, MEMORY = FLOORS


def samples(measure: str, value: str, ours: list[float], theirs: list[float]) -> list[Sample]:
    """What the two systems gave, round by round."""
    return [
        Sample(measure, system, turn, {value: figure})
        for system, figures in ((OURS, ours), (RIVAL, theirs))
        for turn, figure in enumerate(figures)
    ]


def run_of(*measured: list[Sample]) -> Run:
    made = [sample for each in measured for sample in each]
    measures = plan(1, sorted({sample.measure for sample in made}))
    return Run(
        measures=measures, systems=[OURS, RIVAL], rounds=3, notes={"machine": "a small one"}, samples=made
    )


# --- statistics ---


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 99, 7.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([1.0, 2.0], 50, 1.5),
        ([float(value) for value in range(101)], 95, 95.0),
        ([0.0, 10.0], 99, 9.9),
    ],
)
def test_a_percentile_lies_between_neighbours(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == pytest.approx(expected)


def test_a_spread_is_the_median_with_the_lowest_and_the_highest() -> None:
    figures = Figures(samples("add-bulk", "rate", [30, 10, 20], [1, 1, 1]))

    assert figures.spread(OURS, "add-bulk", "rate") == Spread(20, 10, 30)
    assert figures.spread(OURS, "add-one", "rate") is None


def test_ratios_are_of_the_medians_and_within_each_round() -> None:
    figures = Figures(samples("add-bulk", "rate", [10, 40, 30], [10, 10, 30]))

    ratio = figures.ratio((OURS, "add-bulk"), (RIVAL, "add-bulk"), "rate")

    assert ratio is not None
    assert ratio.of_medians == 3
    assert ratio.by_round == Spread(1, 1, 4)


def test_only_rounds_that_both_have_are_compared() -> None:
    figures = Figures(samples("add-bulk", "rate", [10, 1000], [5]))

    ratio = figures.ratio((OURS, "add-bulk"), (RIVAL, "add-bulk"), "rate")

    assert ratio is not None
    assert ratio.by_round == Spread(2, 2, 2)
    assert figures.ratio((OURS, "add-bulk"), ("nobody", "add-bulk"), "rate") is None


# --- floors ---


def test_each_system_is_judged_by_its_best_concurrency() -> None:
    figures = Figures([*samples("drain-10", "rate", [9], [5]), *samples("drain-100", "rate", [6], [8])])

    verdict = figures.verdict(DRAIN, OURS, RIVAL)

    assert verdict is not None
    assert verdict.measures == ("drain-10", "drain-100")
    assert verdict.ratio.of_medians == pytest.approx(9 / 8)
    assert not verdict.holds


def test_a_group_has_no_member_by_the_beginning_of_its_name_alone() -> None:
    figures = Figures(samples("drainage-1", "rate", [9], [5]))

    assert figures.best(OURS, "drain", "rate") is None


@pytest.mark.parametrize(
    ("at_least", "ratio", "holds"),
    [(True, 1.2, True), (True, 1.19, False), (False, 1.2, True), (False, 1.21, False), (False, 1.2049, True)],
)
def test_a_floor_is_kept_by_the_digits_that_are_shown(at_least: bool, ratio: float, holds: bool) -> None:
    assert Floor("add-bulk", "rate", "bulk", 1.2, at_least).holds(ratio) is holds


def test_what_was_not_measured_has_no_verdict() -> None:
    assert Figures([]).verdict(MEMORY, OURS, RIVAL) is None
    assert run_of(samples("add-one", "rate", [1], [9])).missed() == []


def test_floors_that_were_missed_are_named() -> None:
    run = run_of(samples("memory", "data", [200], [100]), samples("add-bulk", "rate", [9], [1]))

    assert run.missed() == [MEMORY.title]


def test_each_floor_is_about_something_that_is_measured() -> None:
    measured = {name for measure in plan(1) for name in (measure.key, measure.group)}

    assert {floor.measure for floor in FLOORS} <= measured


# --- report ---


@pytest.mark.parametrize(
    ("value", "text"), [(14200.4, "14 200"), (698.2, "698"), (41.24, "41.2"), (1.946, "1.95"), (0.5, "0.50")]
)
def test_numbers_are_shown_with_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_the_tables_hold_floors_figures_and_costs() -> None:
    drained = [
        Sample("drain-50", system, 0, {"rate": rate, "process_us": 20.0, "server_us": cost})
        for system, rate, cost in ((OURS, 30_000.0, 15.0), (RIVAL, 15_000.0, 41.0))
    ]

    text = markdown(run_of(drained))

    assert "- machine: a small one" in text
    assert f"| {DRAIN.title} | 30 000 at 50 | 15 000 at 50 | 2.00 (2.00 – 2.00) | ≥ 1.2 | yes |" in text
    assert "| drain, concurrency 50 | 20.0 | 20.0 | 15.0 | 41.0 |" in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    lines = markdown(run_of(samples("latency", "p50_ms", [1, 2], [2, 3]))).splitlines()
    tables = [line for line in lines if line.startswith("|")]

    assert tables
    # The floor and its rows, then all figures, then the ratios.
    assert [line.count("|") for line in tables] == [7] * 3 + [4] * 5 + [3] * 5


def test_json_has_single_latencies_only_when_raw() -> None:
    run = run_of([Sample("latency", OURS, 0, {"p50_ms": 1.23456789}, [1.0, 1.5])])

    assert json.loads(as_json(run, raw=True))["samples"][0]["raw"] == [1.0, 1.5]
    assert json.loads(as_json(run, raw=False))["samples"] == [
        {"measure": "latency", "system": OURS, "round": 0, "values": {"p50_ms": 1.23457}}
    ]


def test_a_rival_that_gave_nothing_has_no_ratio() -> None:
    figures = Figures(samples("idle", "commands", [3, 4], [0, 0]))

    assert figures.ratio((OURS, "idle"), (RIVAL, "idle"), "commands") is None


def test_what_a_system_cannot_do_is_said_with_the_reason() -> None:
    measured = run_of(samples("add-bulk", "rate", [3], [2]))
    run = replace(measured, systems=[OURS, RIVAL, "arq"], gaps={("arq", "add-bulk"): "it has no bulk add"})

    assert "- arq, add, in bulk of 1000: it has no bulk add" in markdown(run)
    assert json.loads(as_json(run, raw=False))["gaps"] == [["arq", "add-bulk", "it has no bulk add"]]
    assert "| add, in bulk of 1000, jobs/s | 3.00 (3.00 – 3.00) | 2.00 (2.00 – 2.00) | – |" in markdown(run)
