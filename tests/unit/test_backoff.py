from __future__ import annotations

import math
import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril.errors import OptionError
from toril.model.backoff import Backoff, from_stored, next_delay_ms, parse, parse_stored
from toril.model.duration import MAX_MS

TYPES = st.sampled_from(["fixed", "exponential", "linear", "mine"])
BACKOFFS = st.builds(
    Backoff,
    TYPES,
    st.integers(0, 10**12) | st.floats(0, 1e9),
    st.floats(0, 1),
    st.none() | st.integers(0, 10**12),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["type", "delay", "jitter", "maxDelay"]), inner)
    ),
)


def never() -> float:
    pytest.fail("without jitter there is nothing to draw")


@pytest.mark.parametrize(
    ("backoff", "stored"),
    [
        (Backoff.fixed(1.5), {"type": "fixed", "delay": 1500}),
        (Backoff.fixed(0), {"type": "fixed", "delay": 0}),
        (Backoff.exponential(timedelta(seconds=1)), {"type": "exponential", "delay": 1000}),
        (Backoff.exponential(1, jitter=0.5), {"type": "exponential", "delay": 1000, "jitter": 0.5}),
        (Backoff.exponential(1, max_delay=60), {"type": "exponential", "delay": 1000, "maxDelay": 60_000}),
        (Backoff.linear(2, max_delay=9), {"type": "linear", "delay": 2000, "maxDelay": 9000}),
        (Backoff.custom("mine"), {"type": "mine"}),
        (Backoff.custom("mine", 3), {"type": "mine", "delay": 3000}),
        (Backoff("fixed", 2000.5), {"type": "fixed", "delay": 2000.5}),
        (Backoff("fixed", 2000.0), {"type": "fixed", "delay": 2000}),
    ],
)
def test_it_is_stored_as_bullmq_does(backoff: Backoff, stored: dict[str, Any]) -> None:
    assert backoff.to_stored() == stored
    assert repr(backoff.to_stored()) == repr(stored)


@given(BACKOFFS)
def test_what_is_stored_comes_back(backoff: Backoff) -> None:
    assert from_stored(backoff.to_stored()) == backoff
    assert parse(backoff.to_stored(), "backoff") == backoff


@pytest.mark.parametrize(
    ("stored", "backoff"),
    [
        (1500, Backoff("fixed", 1500)),
        (1500.5, Backoff("fixed", 1500.5)),
        (-5, Backoff("fixed", 0)),
        ({"type": "exponential"}, Backoff("exponential", 0)),
        ({"type": "fixed", "delay": "soon", "jitter": 7, "maxDelay": -1}, Backoff("fixed", 0)),
        ({"type": "mine", "delay": 5, "more": [1]}, Backoff("mine", 5)),
        (None, None),
        (True, None),
        ("fixed", None),
        ([], None),
        ({}, None),
        ({"type": ""}, None),
        ({"type": 5, "delay": 5}, None),
        (math.nan, None),
    ],
)
def test_what_others_stored_is_read_with_patience(stored: object, backoff: Backoff | None) -> None:
    assert from_stored(stored) == backoff


@given(JSON)
def test_whatever_is_stored_can_be_read(stored: object) -> None:
    backoff = from_stored(stored)

    assert backoff is None or 0 <= backoff.delay_ms <= MAX_MS


@pytest.mark.parametrize(
    ("wish", "backoff"),
    [
        (Backoff.linear(1), Backoff.linear(1)),
        (1.5, Backoff.fixed(1.5)),
        (2, Backoff.fixed(2)),
        (timedelta(milliseconds=7), Backoff.fixed(0.007)),
        ({"type": "fixed", "delay": 300}, Backoff.fixed(0.3)),
        ({"type": "exponential", "delay": 10, "jitter": None}, Backoff.exponential(0.01)),
        ({"type": "mine"}, Backoff.custom("mine")),
        ({"type": "fixed", "delay": 1, "maxDelay": 5}, Backoff.fixed(0.001, max_delay=0.005)),
    ],
)
def test_a_wish_takes_many_forms(wish: object, backoff: Backoff) -> None:
    assert parse(wish, "backoff") == backoff
    assert parse_stored(wish, "backoff") == backoff.to_stored()


@pytest.mark.parametrize(
    ("wish", "option", "problem"),
    [
        ("fixed", "backoff", "must be a Backoff"),
        (None, "backoff", "must be a Backoff"),
        (True, "backoff", "must be seconds"),
        (-1, "backoff", "must not be negative"),
        (math.nan, "backoff", "must be finite"),
        ({}, "backoff", "needs a type"),
        ({"delay": 5}, "backoff", "needs a type"),
        ({"type": 5}, "backoff.type", "must be a str"),
        ({"type": "\ud800"}, "backoff.type", "surrogate"),
        ({"type": "fixed", "delay": "5"}, "backoff.delay", "must be a finite number"),
        ({"type": "fixed", "delay": True}, "backoff.delay", "must be a finite number"),
        ({"type": "fixed", "delay": math.inf}, "backoff.delay", "must be a finite number"),
        ({"type": "fixed", "delay": -1}, "backoff.delay", "must be between"),
        ({"type": "fixed", "delay": 10, "jitter": 1.5}, "backoff.jitter", "must be between 0 and 1"),
        ({"type": "fixed", "delay": 10, "jitter": -0.1}, "backoff.jitter", "must be between 0 and 1"),
        ({"type": "fixed", "delay": 10, "maxDelay": -1}, "backoff.maxDelay", "must be between"),
        ({"type": "fixed", "dealy": 10}, "backoff.dealy", "did you mean 'backoff.delay'"),
    ],
)
def test_a_wrong_wish_is_refused_by_name(wish: object, option: str, problem: str) -> None:
    for reader in (parse, parse_stored):
        with pytest.raises(OptionError, match=problem) as caught:
            reader(wish, "backoff")

        assert caught.value.option == option


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("", 1), "type"),
        ((5, 1), "type"),
        (("fixed", -1), "delay_ms"),
        (("fixed", "1"), "delay_ms"),
        (("fixed", 1, 2), "jitter"),
        (("fixed", 1, True), "jitter"),
        (("fixed", 1, 0, -1), "max_delay_ms"),
        (("fixed", 1, 0, 1.5), "max_delay_ms"),
    ],
)
def test_a_wrong_backoff_is_never_made(arguments: tuple[Any, ...], option: str) -> None:
    with pytest.raises(OptionError) as caught:
        Backoff(*arguments)

    assert caught.value.option == option


@pytest.mark.parametrize("make", [Backoff.fixed, Backoff.exponential, Backoff.linear])
def test_the_makers_name_what_is_wrong(make: Any) -> None:
    for arguments, option in (
        ({"delay": -1}, "delay"),
        ({"delay": 1, "jitter": 1.01}, "jitter"),
        ({"delay": 1, "max_delay": "1"}, "max_delay"),
    ):
        with pytest.raises(OptionError) as caught:
            make(**arguments)

        assert caught.value.option == option


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff.fixed(5), [5000, 5000, 5000, 5000]),
        (Backoff.exponential(0.1), [100, 200, 400, 800]),
        (Backoff.linear(2), [2000, 4000, 6000, 8000]),
        (Backoff.exponential(1, max_delay=3), [1000, 2000, 3000, 3000]),
        (Backoff.linear(2, max_delay=5), [2000, 4000, 5000, 5000]),
        (Backoff.fixed(5, max_delay=1), [1000, 1000, 1000, 1000]),
        (Backoff("exponential", 0.5), [1, 1, 2, 4]),
        (Backoff.exponential(0), [0, 0, 0, 0]),
        (Backoff.custom("mine", 5), [None, None, None, None]),
    ],
)
def test_delays_grow_as_their_type_says(backoff: Backoff, delays: list[int | None]) -> None:
    assert [next_delay_ms(backoff, attempts, never) for attempts in (1, 2, 3, 4)] == delays


def test_attempts_that_were_never_made_count_as_the_first() -> None:
    assert next_delay_ms(Backoff.exponential(1), 0, never) == 1000


@pytest.mark.parametrize(
    ("drawn", "delay"),
    [(0.0, 1500), (0.5, 1750), (0.9999999, 1999)],
)
def test_jitter_is_a_share_from_the_top(drawn: float, delay: int) -> None:
    assert next_delay_ms(Backoff.fixed(2, jitter=0.25), 1, lambda: drawn) == delay
    assert next_delay_ms(Backoff.exponential(1, jitter=0.25), 2, lambda: drawn) == delay


def test_jobs_at_the_longest_delay_are_still_spread() -> None:
    backoff = Backoff.exponential(1, jitter=1, max_delay=60)

    assert next_delay_ms(backoff, 30, lambda: 0.25) == 15_000


@given(BACKOFFS, st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_no_delay_leaves_its_bounds(backoff: Backoff, attempts: int, drawn: float) -> None:
    delay = next_delay_ms(backoff, attempts, lambda: drawn)

    if backoff.type == "mine":
        assert delay is None
    else:
        longest = MAX_MS if backoff.max_delay_ms is None else backoff.max_delay_ms
        assert isinstance(delay, int)
        assert 0 <= delay <= longest


@given(st.integers(0, 10**9), st.floats(0, 1), st.integers(0, 2**32))
def test_jitter_stays_between_its_share_and_the_whole(delay_ms: int, jitter: float, seed: int) -> None:
    backoff = Backoff("fixed", delay_ms, jitter)
    delay = next_delay_ms(backoff, 1, random.Random(seed).random)

    assert delay is not None
    assert math.floor(delay_ms * (1 - jitter)) - 1 <= delay <= delay_ms


@pytest.mark.parametrize(
    "backoff", [Backoff.exponential(1), Backoff("exponential", 1e-9), Backoff.linear(1e9)]
)
def test_ten_thousand_attempts_do_not_overflow(backoff: Backoff) -> None:
    delay = next_delay_ms(backoff, 10_000, never)

    assert delay is not None
    assert 0 < delay <= MAX_MS
