"""How free slots are dealt to the queues of a worker."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toril.core.worker.fair import DEALS, Policy, Want, deal_by_weight, deal_in_order
from toril.core.worker.pool import Pool

PLENTY = 10_000

weights = st.floats(0.001, 1_000_000) | st.integers(1, 10)
wants = st.builds(Want, weights, st.integers(0, 60), st.sampled_from((0, 1, 7, PLENTY)), st.floats(0, 9))


def slots_of(free: int, wants: Sequence[Want]) -> list[int]:
    return [grant.slots for grant in deal_by_weight(free, wants)]


@pytest.mark.parametrize("policy", DEALS)
@given(free=st.integers(0, 80), wants=st.lists(wants, min_size=1, max_size=12))
def test_no_slot_is_idle_while_any_queue_has_work(policy: Policy, free: int, wants: list[Want]) -> None:
    grants = DEALS[policy](free, wants)

    assert sum(grant.slots for grant in grants) == (free if any(want.more for want in wants) else 0)
    assert [grant for grant, want in zip(grants, wants, strict=True) if grant.slots and not want.more] == []


@given(slots=st.integers(1, 300), weights=st.lists(weights, min_size=1, max_size=12))
def test_each_queue_with_work_has_its_share_to_within_a_slot(slots: int, weights: list[float]) -> None:
    grants = slots_of(slots, [Want(weight, 0, PLENTY) for weight in weights])

    for granted, weight in zip(grants, weights, strict=True):
        assert abs(granted - slots * weight / sum(weights)) < 1 + 1e-6


@given(free=st.integers(0, 80), wants=st.lists(wants, min_size=2, max_size=12))
def test_who_has_its_share_gets_nothing_while_another_lacks_its_own(free: int, wants: list[Want]) -> None:
    """Long jobs may keep a queue above its share; it then gets no more."""
    for want in wants:
        want.more = PLENTY
    total, weight = free + sum(want.used for want in wants), sum(want.weight for want in wants)
    grants = slots_of(free, wants)
    shares = [total * want.weight / weight for want in wants]
    lacking = [
        want.used + granted < math.floor(share - 1e-6)
        for want, granted, share in zip(wants, grants, shares, strict=True)
    ]

    if any(lacking):
        rich = [
            granted
            for want, granted, share in zip(wants, grants, shares, strict=True)
            if want.used > share + 1e-6
        ]
        assert not any(rich)


def test_what_a_queue_does_not_want_goes_to_the_others() -> None:
    assert slots_of(50, [Want(5, 0, 0), Want(3, 0, PLENTY), Want(2, 0, PLENTY)]) == [0, 30, 20]
    assert slots_of(50, [Want(5, 0, 4), Want(3, 0, PLENTY), Want(2, 0, 0)]) == [4, 46, 0]
    assert slots_of(10, [Want(1, 0, 1), Want(1, 0, 1)]) == [5, 5]


def test_a_queue_that_had_all_slots_leaves_those_that_get_free_to_the_others() -> None:
    assert slots_of(5, [Want(5, 45, PLENTY), Want(3, 0, PLENTY), Want(2, 0, PLENTY)]) == [0, 3, 2]


def test_in_strict_order_the_first_one_goes_first() -> None:
    deal = [grant.slots for grant in deal_in_order(10, [Want(1, 0, 0), Want(1, 3, 4), Want(1, 0, PLENTY)])]

    assert deal == [0, 4, 6]


class Stand:
    """A queue that always has work, in place of a feeder."""

    def __init__(self) -> None:
        self.held = 0
        self.asked = 0
        self.appetite = PLENTY
        self.hungry = True
        self.looks = 0

    def look(self) -> None:
        self.looks += 1


def pool_of(slots: int, weights: Sequence[float], policy: Policy = "weighted") -> tuple[Pool, list[Stand]]:
    pool, stands = Pool(slots, policy), [Stand() for _ in weights]
    for stand, weight in zip(stands, weights, strict=True):
        pool.join(stand, weight)
    return pool, stands


def fill(pool: Pool, stands: Sequence[Stand]) -> list[int]:
    """Every queue takes what it may; answers who took, once for each job."""
    took: list[int] = []
    for number, stand in enumerate(stands):
        room = pool.room(stand)
        if room:
            pool.asks(stand, room)
            stand.held += room
            took += [number] * room
    return took


@settings(deadline=None, max_examples=20)
@given(weights=st.lists(st.integers(1, 10), min_size=2, max_size=6), slots=st.integers(1, 3))
def test_few_slots_go_around_by_weight(weights: list[int], slots: int) -> None:
    """Fewer slots than queues: each has its part of the turns."""
    pool, stands = pool_of(slots, weights)
    turns = 40 * sum(weights)
    rng = random.Random(1)
    runs: list[int] = []
    starts: Counter[int] = Counter()
    while starts.total() < turns:
        took = fill(pool, stands)
        starts.update(took)
        runs += took
        assert len(runs) == slots
        stands[runs.pop(rng.randrange(slots))].held -= 1

    if slots == 1:
        for number, weight in enumerate(weights):
            assert abs(starts[number] / turns - weight / sum(weights)) < 0.02
    assert len(starts) == len(weights)


@settings(deadline=None, max_examples=20)
@given(weights=st.lists(st.integers(1, 10), min_size=2, max_size=6), slots=st.integers(20, 80))
def test_long_jobs_do_not_take_the_shares_of_others(weights: list[int], slots: int) -> None:
    """The first queue's jobs never end; the others' end again and again."""
    pool, stands = pool_of(slots, weights)
    for _ in range(200):
        fill(pool, stands)
        for stand in stands[1:]:
            stand.held = 0

    share = slots * weights[0] / sum(weights)
    assert stands[0].held <= math.ceil(share)


def test_who_was_away_has_saved_up_no_turns() -> None:
    pool, (one, other) = pool_of(1, [1, 1])
    other.hungry = False
    for _ in range(1000):
        fill(pool, [one, other])
        one.held = 0
    other.hungry = True
    turns: Counter[int] = Counter()
    for _ in range(10):
        turns.update(fill(pool, [one, other]))
        one.held = other.held = 0

    assert 4 <= turns[1] <= 6


def test_slots_that_are_asked_for_are_not_given_twice() -> None:
    pool, (one, other) = pool_of(4, [1, 1])
    one.hungry = False
    one.asked = 3

    assert pool.room(other) == 1


def test_a_queue_of_few_jobs_keeps_few_slots_while_it_asks() -> None:
    pool, (few, many) = pool_of(50, [1, 1])
    few.appetite = few.asked = 1

    assert pool.room(many) == 49


def test_who_may_have_slots_is_told_of_a_change() -> None:
    pool, (one, other) = pool_of(2, [1, 1])
    one.held = 2
    pool.changed()
    assert (one.looks, other.looks) == (0, 0)

    one.held = 1
    pool.changed()
    assert (one.looks, other.looks) == (0, 1)


def test_a_queue_alone_has_all_slots_whatever_it_knows_of_its_work() -> None:
    pool, (alone,) = pool_of(7, [1])
    alone.hungry, alone.held = False, 3

    assert pool.room(alone) == 4
    pool.slots = 2
    assert pool.room(alone) == 0
