"""What is promised, and how it is found out whether it was kept."""

from __future__ import annotations

import pytest

from benchmarks.figures import Figures, Sample
from benchmarks.floors import FLOORS, Against, Floor, Standing
from benchmarks.plan import plan
from benchmarks.systems import OURS, RIVAL
from benchmarks.verdicts import judge

AGAINST_PEERS = next(floor for floor in FLOORS if floor.against is Against.PEERS)
GROWTH = next(floor for floor in FLOORS if floor.measure == "growth")
RSS = next(floor for floor in FLOORS if floor.value == "more_mb")
BULK = Floor("bulk", "add-bulk", "rate", 2.5, 4)


def gave(system: str, measure: str, *figures: float, value: str = "rate") -> list[Sample]:
    """What a system gave, round by round."""
    return [Sample(measure, system, turn, {value: figure}) for turn, figure in enumerate(figures)]


@pytest.mark.parametrize(
    ("figure", "standing"),
    [
        (2.494, Standing.BELOW),
        (2.495, Standing.REACHED),
        (3.994, Standing.REACHED),
        (3.995, Standing.AIM),
    ],
)
def test_a_promise_is_kept_by_the_digits_that_are_shown(figure: float, standing: Standing) -> None:
    assert BULK.standing(figure) is standing


@pytest.mark.parametrize(
    ("figure", "standing"),
    [(120.1, Standing.BELOW), (120, Standing.REACHED), (60.1, Standing.REACHED), (60, Standing.AIM)],
)
def test_where_less_is_better_a_promise_is_a_bound_above(figure: float, standing: Standing) -> None:
    assert Floor("import", "import", "import_ms", 120, 60, rising=False).standing(figure) is standing


def test_nothing_more_than_the_promise_can_be_reached_where_no_more_is_aimed_at() -> None:
    assert Floor("it", "memory", "data", 1, rising=False).standing(0.1) is Standing.REACHED


def test_a_promise_says_what_it_is() -> None:
    assert (BULK.bound(BULK.least), BULK.bound(BULK.aim), RSS.bound(RSS.least)) == ("≥ 2.5", "≥ 4", "≤ 5")
    assert RSS.bound(RSS.aim) == ""


def test_every_promise_is_about_something_that_is_measured() -> None:
    measured = {name for measure in plan(1) for name in (measure.key, measure.group)}

    assert {floor.measure for floor in FLOORS} <= measured
    assert {floor.base for floor in FLOORS if floor.base} <= measured


def test_no_aim_is_easier_than_its_promise() -> None:
    assert all(
        floor.aim is None or (floor.aim >= floor.least if floor.rising else floor.aim <= floor.least)
        for floor in FLOORS
    )


def test_ours_is_compared_with_the_rival_in_the_same_measure() -> None:
    verdict = judge(BULK, Figures([*gave(OURS, "add-bulk", 10, 30, 20), *gave(RIVAL, "add-bulk", 5, 5, 5)]))

    assert verdict is not None
    assert verdict.other is not None
    other, ratio = verdict.other
    assert (verdict.ours.spread.median, other.system, other.spread.median) == (20, RIVAL, 5)
    assert (ratio.of_medians, ratio.by_round.low, ratio.by_round.high) == (4, 2, 6)
    assert verdict.standing is Standing.AIM


def test_peers_are_compared_by_the_best_that_each_can() -> None:
    samples = [
        *gave(OURS, "drain-100", 900),
        *gave(RIVAL, "drain-100", 500),
        *gave("huey", "drain-1", 120),
        *gave("huey", "drain-100", 60),
        *gave("arq", "drain-100", 90),
    ]

    verdict = judge(AGAINST_PEERS, Figures(samples))

    assert verdict is not None
    assert verdict.other is not None
    other, ratio = verdict.other
    assert (other.system, other.measure, ratio.of_medians) == ("huey", "drain-1", 7.5)
    assert verdict.standing is Standing.REACHED


def test_without_peers_nothing_is_said_of_them() -> None:
    both = [*gave(OURS, "drain-100", 900), *gave(RIVAL, "drain-100", 500)]

    assert judge(AGAINST_PEERS, Figures(both)) is None


def test_what_grows_is_judged_by_the_most_there_was() -> None:
    samples = gave(OURS, "growth-1000", 100) + gave(OURS, "growth-200000", 95) + gave(OURS, "growth-9000", 10)

    verdict = judge(GROWTH, Figures(samples))

    assert verdict is not None
    assert verdict.other is not None
    assert (verdict.ours.measure, verdict.other[0].measure) == ("growth-200000", "growth-1000")
    assert verdict.other[1].of_medians == pytest.approx(0.95)
    assert verdict.standing is Standing.REACHED


def test_what_did_not_grow_is_not_compared_with_itself() -> None:
    assert judge(GROWTH, Figures(gave(OURS, "growth-1000", 100))) is None


def test_a_value_can_be_promised_by_itself() -> None:
    samples = [*gave(OURS, "rss", 2, value="more_mb"), *gave(OURS, "rss-200000", 6, value="more_mb")]

    verdict = judge(RSS, Figures(samples))

    assert verdict is not None
    assert verdict.other is None
    assert (verdict.ours.measure, verdict.standing) == ("rss-200000", Standing.BELOW)


def test_what_was_not_measured_has_no_verdict() -> None:
    assert judge(RSS, Figures([])) is None
    assert judge(BULK, Figures(gave(OURS, "add-bulk", 10))) is None
