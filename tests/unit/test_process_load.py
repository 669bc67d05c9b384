"""How many processes there should be for what they tell."""

from __future__ import annotations

import pytest

from toril.model.autoscale import Autoscale, Sample, decide
from toril.supervise.load import together

SCALE = Autoscale(1, 8, target=2.0)


def load(*workers: tuple[float, float]) -> list[Sample]:
    return [Sample(busy=busy, lag=lag) for busy, lag in workers]


@pytest.mark.parametrize(
    ("loads", "seen", "wanted"),
    [
        # Jobs wait for all of them, for long, or for very long.
        ([load((1, 3))] * 2, Sample(busy=2, lag=3), 3),
        ([load((1, 60))] * 2, Sample(busy=2, lag=60), 4),
        # One of them has a slot left.
        ([load((1, 60)), load((0.9, 0))], Sample(busy=1.9, lag=0), 2),
        # The worker that needs most counts, and it is the same one in all processes.
        ([load((1, 0), (1, 9))] * 2, Sample(busy=2, lag=9), 4),
        ([load((0.2, 0), (1, 9)), load((1, 9), (0.2, 0))], Sample(busy=1.2, lag=0), 2),
        # One that is not ready may be what is needed.
        ([load((1, 60)), []], Sample(busy=2, lag=0), 2),
        ([load()], Sample(busy=1, lag=0), 1),
    ],
)
def test_more_are_wanted_when_jobs_wait_for_all_of_them(
    loads: list[list[Sample]], seen: Sample, wanted: int
) -> None:
    assert together(loads) == seen
    assert decide(SCALE, len(loads), [seen]) == wanted


@pytest.mark.parametrize(
    ("shares", "wanted"),
    [((0.4, 0.4), 1), ((0.45, 0.45), 2), ((0, 0, 0, 0), 1), ((0.5, 0.5, 0.5, 0.5), 3), ((1, 1, 1, 0), 4)],
)
def test_fewer_are_wanted_when_the_work_fits_into_them(shares: tuple[float, ...], wanted: int) -> None:
    seen = together([load((share, 0)) for share in shares])

    assert decide(SCALE, len(shares), [seen] * 4) == len(shares)
    assert decide(SCALE, len(shares), [seen] * 5) == wanted
