from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.figures import Figures, Sample, Spread, percentile
from benchmarks.floors import FLOORS
from benchmarks.plan import plan
from benchmarks.report import Run, as_json, markdown, number
from benchmarks.systems import OURS, RIVAL

DRAIN = next(floor for floor in FLOORS if floor.measure == "drain-100")
MEMORY = next(floor for floor in FLOORS if floor.measure == "memory")


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


def test_a_group_has_no_member_by_the_beginning_of_its_name_alone() -> None:
    figures = Figures(samples("drainage-1", "rate", [9], [5]))

    assert figures.best(OURS, "drain", "rate") is None


# --- report ---


@pytest.mark.parametrize(
    ("value", "text"), [(14200.4, "14 200"), (698.2, "698"), (41.24, "41.2"), (1.946, "1.95"), (0.5, "0.50")]
)
def test_numbers_are_shown_with_the_digits_that_mean_something(value: float, text: str) -> None:
    assert number(value) == text


def test_the_tables_hold_floors_figures_and_costs() -> None:
    drained = [
        Sample("drain-100", system, 0, {"rate": rate, "process_us": 20.0, "server_us": cost})
        for system, rate, cost in ((OURS, 30_000.0, 15.0), (RIVAL, 15_000.0, 41.0))
    ]

    text = markdown(run_of(drained))

    assert "- machine: a small one" in text
    kept = "30 000 | bullmq 15 000 | 2.00 (2.00 – 2.00) | ≥ 1.8 | ≥ 2.5 | reached |"
    assert f"| {DRAIN.title} | {kept}" in text
    assert f"| {MEMORY.title} | – | – | – | ≤ 1 |  | not measured |" in text
    assert "1 aim, 1 reached, 0 **below**, 21 not measured." in text
    assert (
        "| drain, concurrency 100, server | 0.15 (0.15 – 0.15) | 0.41 (0.41 – 0.41) | 0.37 (0.37 – 0.37) |"
        in text
    )
    assert "| drain, concurrency 100, processes | 0.20 (0.20 – 0.20) | 0.20 (0.20 – 0.20) | 1.00 " in text


def test_every_row_of_a_table_has_as_many_cells_as_its_head() -> None:
    lines = markdown(run_of(samples("latency", "p50_ms", [1, 2], [2, 3]))).splitlines()
    tables = [line for line in lines if line.startswith("|")]

    assert tables
    # What is promised, then all figures, then the ratios.
    assert [line.count("|") for line in tables] == [8] * (2 + len(FLOORS)) + [4] * 5 + [3] * 5


def test_json_has_single_latencies_only_when_raw() -> None:
    run = run_of([Sample("latency", OURS, 0, {"p50_ms": 1.23456789}, [1.0, 1.5])])

    assert json.loads(as_json(run, raw=True))["samples"][0]["raw"] == [1.0, 1.5]
    assert json.loads(as_json(run, raw=False))["samples"] == [
        {"measure": "latency", "system": OURS, "round": 0, "values": {"p50_ms": 1.23457}}
    ]


def test_promises_that_were_not_kept_are_named() -> None:
    run = run_of(samples("memory", "data", [200], [100]), samples("add-bulk", "rate", [9], [1]))

    assert run.missed() == [MEMORY.title]
    assert run_of(samples("two-10", "rate", [1], [9])).missed() == []


def test_a_rival_that_gave_nothing_has_no_ratio() -> None:
    figures = Figures(samples("idle", "commands", [3, 4], [0, 0]))

    assert figures.ratio((OURS, "idle"), (RIVAL, "idle"), "commands") is None


def test_what_a_system_cannot_do_is_said_with_the_reason() -> None:
    measured = run_of(samples("add-bulk", "rate", [3], [2]))
    run = replace(measured, systems=[OURS, RIVAL, "arq"], gaps={("arq", "add-bulk"): "it has no bulk add"})

    assert "- arq, add, in bulk of 1000: it has no bulk add" in markdown(run)
    assert json.loads(as_json(run, raw=False))["gaps"] == [["arq", "add-bulk", "it has no bulk add"]]
    assert "| add, in bulk of 1000, jobs/s | 3.00 (3.00 – 3.00) | 2.00 (2.00 – 2.00) | – |" in markdown(run)


def test_what_went_wrong_is_said_in_a_line() -> None:
    measured = run_of(samples("add-bulk", "rate", [3], [2]))
    run = replace(measured, faults={(RIVAL, "add-bulk"): "bullmq: it ended\nit said:\nout of memory"})

    text = markdown(run)

    assert "## What went wrong" in text
    assert "- bullmq, add, in bulk of 1000: bullmq: it ended it said: out of memory" in text
    assert json.loads(as_json(run, raw=False))["faults"][0][:2] == [RIVAL, "add-bulk"]
    assert "went wrong" not in markdown(measured)
