from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril.errors import OptionError
from toril.model.backoff import Backoff
from toril.model.bullmq import from_bullmq
from toril.model.duration import MAX_MS
from toril.model.options import resolve

NOW = 1_893_456_000_000
SHORT = {
    "deduplication": "de",
    "keepLogs": "kl",
    "failParentOnFailure": "fpof",
    "continueParentOnFailure": "cpof",
    "ignoreDependencyOnFailure": "idof",
    "removeDependencyOnFailure": "rdof",
}
DEDUPS = st.fixed_dictionaries(
    {"id": st.just("d"), "ttl": st.integers(0, MAX_MS)},
    optional={"extend": st.booleans(), "keepLastIfActive": st.booleans()},
)
PASTED = st.fixed_dictionaries(
    {"attempts": st.integers(0, 99)},
    optional={
        "backoff": st.fixed_dictionaries(
            {"type": st.sampled_from(["fixed", "exponential"]), "delay": st.integers(0, MAX_MS)}
        ),
        "delay": st.integers(0, MAX_MS),
        "priority": st.integers(0, 2_097_151),
        "lifo": st.booleans(),
        "jobId": st.text("abc-", max_size=5),
        "removeOnComplete": st.booleans()
        | st.integers(0, 99)
        | st.fixed_dictionaries({"count": st.integers(0, MAX_MS)}),
        "removeOnFail": st.fixed_dictionaries(
            {"age": st.integers(0, 10**6), "limit": st.integers(1, MAX_MS)}
        ),
        "keepLogs": st.integers(0, MAX_MS),
        "stackTraceLimit": st.integers(0, MAX_MS),
        "sizeLimit": st.integers(2, MAX_MS),
        "timestamp": st.integers(0, 253_402_214_400_000),
        "deduplication": DEDUPS,
        "failParentOnFailure": st.booleans(),
        "custom": st.lists(st.integers()),
    },
)


@given(PASTED)
def test_what_is_pasted_is_stored_as_bullmq_stores_it(pasted: dict[str, Any]) -> None:
    stored = resolve("paint", from_bullmq(pasted), NOW, 2).stored

    assert stored == {SHORT.get(key, key): value for key, value in pasted.items()}


@pytest.mark.parametrize(
    ("pasted", "options"),
    [
        ({}, {}),
        ({"delay": 2000.5}, {"delay": timedelta(milliseconds=2000.5)}),
        ({"timestamp": NOW}, {"timestamp": datetime(2030, 1, 1, tzinfo=UTC)}),
        ({"backoff": 1500}, {"backoff": Backoff.fixed(1.5)}),
        ({"backoff": 0.5}, {"backoff": Backoff("fixed", 0.5)}),
        ({"backoff": {"type": "mine"}}, {"backoff": {"type": "mine"}}),
        ({"jobId": "a", "delay": None}, {"job_id": "a"}),
        (
            {"telemetry": {"metadata": "m", "omitContext": True}},
            {"telemetry": {"metadata": "m", "omit_context": True}},
        ),
        ({"parent": {"id": "p", "queue": "bull:q"}}, {"parent": {"id": "p", "queue": "bull:q"}}),
        ({"custom": [1], "other": None}, {"extra": {"custom": [1]}}),
    ],
)
def test_names_and_units_become_ours(pasted: dict[str, Any], options: dict[str, Any]) -> None:
    assert from_bullmq(pasted) == options


@pytest.mark.parametrize(
    ("pasted", "option", "problem"),
    [
        ({"debounce": {"id": "x"}}, "debounce", "use deduplication"),
        ({"debounce": None}, "debounce", "use deduplication"),
        ({"repeat": {"every": 5}}, "repeat", "use a job scheduler"),
        ({"repeatJobKey": "x"}, "repeatJobKey", "job schedulers set it"),
        ({"prevMillis": 5}, "prevMillis", "job schedulers set it"),
        ({"delay": "5"}, "delay", "must be a finite number"),
        ({"delay": -1}, "delay", "must be between"),
        ({"delay": math.inf}, "delay", "must be a finite number"),
        ({"delay": timedelta(seconds=5)}, "delay", "must be a finite number"),
        ({"timestamp": "now"}, "timestamp", "must be a finite number"),
        ({"timestamp": -1}, "timestamp", "must be between"),
        ({"timestamp": 10**15}, "timestamp", "must be between"),
        ({"backoff": -1}, "backoff", "must be between"),
        ({"telemetry": {"meta": "m"}}, "telemetry.meta", "did you mean 'telemetry.metadata'"),
    ],
)
def test_what_bullmq_would_not_take_is_refused(pasted: dict[str, Any], option: str, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        from_bullmq(pasted)

    assert caught.value.option == option


@pytest.mark.parametrize(
    ("pasted", "option"),
    [
        ({"priority": 0.1}, "priority"),
        ({"jobId": "7"}, "job_id"),
        ({"backoff": {"type": "fixed", "jitter": 1.5}}, "backoff.jitter"),
        ({"backoff": "soon"}, "backoff"),
        ({"job_id": "a"}, "extra.job_id"),
        ({"kl": 5}, "extra.kl"),
    ],
)
def test_the_rest_is_checked_when_the_job_is_added(pasted: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as caught:
        resolve("paint", from_bullmq(pasted), NOW, 2)

    assert caught.value.option == option
