from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toril.errors import OptionError
from toril.model.backoff import Backoff
from toril.model.dedup import Dedup
from toril.model.keep import Keep
from toril.model.names import QueueRef
from toril.model.options import AddOptions, Resolved, merge, resolve
from toril.model.parent import ParentRef

NOW = 1_893_456_000_000
AT_NOW = datetime(2030, 1, 1, tzinfo=UTC)
PARENT = {"id": "p1", "queue": "bull:q"}


class AJob:
    def __init__(self, id: Any, queue: QueueRef) -> None:
        self.id = id
        self.prefix = queue.prefix
        self.queue_name = queue.name


def resolved(options: dict[str, Any], *, data_size: int = 2) -> Resolved:
    return resolve("paint", options, NOW, data_size)


def test_without_options_a_job_is_made_now_and_tried_once() -> None:
    assert resolved({}) == Resolved(
        job_id=None,
        on_duplicate="ignore",
        timestamp_ms=NOW,
        delay_ms=0,
        priority=0,
        lifo=False,
        stored={"attempts": 0},
    )


def test_no_two_jobs_share_what_is_stored() -> None:
    assert resolved({}).stored is not resolved({}).stored


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ({"attempts": 3}, {"attempts": 3}),
        ({"backoff": 1.5}, {"backoff": {"type": "fixed", "delay": 1500}}),
        ({"backoff": Backoff.exponential(1)}, {"backoff": {"type": "exponential", "delay": 1000}}),
        ({"delay": 5}, {"delay": 5000}),
        ({"delay": 0}, {"delay": 0}),
        ({"delay": timedelta(minutes=1)}, {"delay": 60_000}),
        ({"priority": 7}, {"priority": 7}),
        ({"priority": 0}, {"priority": 0}),
        ({"lifo": False}, {"lifo": False}),
        ({"job_id": "a"}, {"jobId": "a"}),
        ({"job_id": ""}, {"jobId": ""}),
        ({"on_duplicate": "replace"}, {}),
        ({"remove_on_complete": Keep(10, age=3600)}, {"removeOnComplete": {"count": 10, "age": 3600}}),
        ({"remove_on_fail": False}, {"removeOnFail": False}),
        ({"keep_logs": 5}, {"kl": 5}),
        ({"stack_trace_limit": 0}, {"stackTraceLimit": 0}),
        ({"size_limit": 1000}, {"sizeLimit": 1000}),
        ({"timestamp": AT_NOW}, {"timestamp": NOW}),
        ({"parent": PARENT}, {"parent": PARENT}),
        ({"deduplication": Dedup.throttle("d", 60)}, {"de": {"id": "d", "ttl": 60_000}}),
        ({"on_failure": "fail_parent"}, {"fpof": True}),
        ({"on_failure": "continue_parent"}, {"cpof": True}),
        ({"on_failure": "ignore"}, {"idof": True}),
        ({"on_failure": "remove"}, {"rdof": True}),
        ({"fail_parent_on_failure": True}, {"fpof": True}),
        ({"continue_parent_on_failure": True}, {"cpof": True}),
        ({"ignore_dependency_on_failure": True}, {"idof": True}),
        ({"remove_dependency_on_failure": True}, {"rdof": True}),
        ({"fail_parent_on_failure": False, "on_failure": "ignore"}, {"fpof": False, "idof": True}),
        ({"telemetry": {"metadata": "m", "omit_context": True}}, {"tm": "m", "omc": True}),
        ({"telemetry": {}}, {}),
        ({"timeout": 5}, {"toril": {"timeout": 5000}}),
        ({"expires_in": timedelta(minutes=1)}, {"toril": {"expiresIn": 60_000}}),
        ({"soft_timeout": 0.5, "timeout": 1}, {"toril": {"timeout": 1000, "softTimeout": 500}}),
        ({"extra": {"custom": {"anything": [1, None]}}}, {"custom": {"anything": [1, None]}}),
    ],
)
def test_options_are_stored_as_bullmq_does(options: dict[str, Any], stored: dict[str, Any]) -> None:
    assert resolved(options).stored == {"attempts": 0} | stored


def test_what_the_add_needs_is_at_hand() -> None:
    job = resolved({"job_id": "a", "on_duplicate": "raise", "delay": 2, "priority": 5, "lifo": True})

    assert (job.job_id, job.on_duplicate, job.delay_ms, job.priority, job.lifo) == (
        "a",
        "raise",
        2000,
        5,
        True,
    )


def test_an_empty_id_takes_the_next_number() -> None:
    assert resolved({"job_id": ""}).job_id is None


def test_a_timestamp_moves_the_job_in_time() -> None:
    job = resolved({"timestamp": AT_NOW - timedelta(days=1), "delay": 5})

    assert (job.timestamp_ms, job.delay_ms) == (NOW - 86_400_000, 5000)


@pytest.mark.parametrize(("seconds", "stored"), [(5, {"delay": 5000}), (0, {}), (-5, {})])
def test_an_instant_is_a_delay_unless_it_has_passed(seconds: int, stored: dict[str, int]) -> None:
    job = resolved({"at": AT_NOW + timedelta(seconds=seconds)})

    assert job.stored == {"attempts": 0, **stored}
    assert job.delay_ms == stored.get("delay", 0)


@given(st.permutations(["at", "timestamp", "lifo"]))
def test_an_instant_is_a_delay_from_the_timestamp(order: list[str]) -> None:
    options: dict[str, Any] = {"at": AT_NOW, "timestamp": AT_NOW - timedelta(seconds=9), "lifo": False}

    assert resolved({option: options[option] for option in order}).delay_ms == 9000


@pytest.mark.parametrize("parent", [PARENT, ParentRef("p1", "bull:q"), AJob("p1", QueueRef("bull", "q"))])
def test_a_parent_takes_many_forms(parent: object) -> None:
    job = resolved({"parent": parent, "on_failure": "fail_parent"})

    assert job.parent == ParentRef("p1", "bull:q")
    assert job.parent is not None
    assert job.parent.key == "bull:q:p1"
    assert job.parent_fields == {"id": "p1", "queueKey": "bull:q", "fpof": True}
    assert job.stored == {"attempts": 0, "fpof": True, "parent": PARENT}


def test_a_policy_that_is_off_is_no_tie_to_the_parent() -> None:
    job = resolved({"parent": PARENT, "ignore_dependency_on_failure": False})

    assert job.parent_fields == {"id": "p1", "queueKey": "bull:q"}


@pytest.mark.parametrize(
    ("dedup", "stored"),
    [
        (Dedup.simple("d"), {"id": "d"}),
        (Dedup.throttle("d", 5), {"id": "d", "ttl": 5000}),
        (
            Dedup.debounce("d", timedelta(seconds=5)),
            {"id": "d", "ttl": 5000, "extend": True, "replace": True},
        ),
        (Dedup("d", reschedule=True), {"id": "d", "reschedule": True}),
        (Dedup("d", keep_last_if_active=True), {"id": "d", "keepLastIfActive": True}),
        ({"id": "d", "ttl": 5000, "extend": False}, {"id": "d", "ttl": 5000, "extend": False}),
        (
            {"id": "d", "ttl": 0.6, "replace": True, "keepLastIfActive": None},
            {"id": "d", "ttl": 1, "replace": True},
        ),
    ],
)
def test_deduplication_takes_many_forms(dedup: object, stored: dict[str, Any]) -> None:
    job = resolved({"deduplication": dedup})

    assert job.stored == {"attempts": 0, "de": stored}
    assert job.dedup == stored


@pytest.mark.parametrize(
    ("options", "option", "problem"),
    [
        ({"attempts": -1}, "attempts", "must be at least 0"),
        ({"attempts": 2.0}, "attempts", "must be a whole number"),
        ({"attempts": True}, "attempts", "must be a whole number"),
        ({"backoff": "1s"}, "backoff", "must be a Backoff"),
        ({"backoff": {"type": "fixed", "jitter": 2}}, "backoff.jitter", "between 0 and 1"),
        ({"delay": -1}, "delay", "must not be negative"),
        ({"delay": "5m"}, "delay", "must be seconds"),
        ({"delay": None}, "delay", "must be seconds"),
        ({"at": 5}, "at", "must be a datetime"),
        ({"at": AT_NOW.replace(tzinfo=None)}, "at", "has no time zone"),
        ({"at": AT_NOW, "delay": 0}, "at", "can't be used together with delay"),
        ({"priority": 1.5}, "priority", "must be a whole number"),
        ({"priority": 2_097_152}, "priority", "must be between"),
        ({"priority": -2_097_152}, "priority", "must be between"),
        ({"lifo": 1}, "lifo", "must be True or False"),
        ({"job_id": 7}, "job_id", "must be a str"),
        ({"job_id": "7"}, "job_id", "must not be an integer"),
        ({"job_id": "wait"}, "job_id", "own keys"),
        ({"on_duplicate": "overwrite"}, "on_duplicate", "'ignore', 'raise' or 'replace'"),
        ({"on_duplicate": ["raise"]}, "on_duplicate", "'ignore', 'raise' or 'replace'"),
        ({"remove_on_complete": "all"}, "remove_on_complete", "must be a bool"),
        ({"remove_on_fail": {"count": "5"}}, "remove_on_fail.count", "must be a whole number"),
        ({"keep_logs": -1}, "keep_logs", "must be at least 0"),
        ({"stack_trace_limit": "3"}, "stack_trace_limit", "must be a whole number"),
        ({"size_limit": 1.5}, "size_limit", "must be a whole number"),
        ({"timestamp": NOW}, "timestamp", "must be a datetime"),
        ({"timestamp": datetime(1969, 1, 1, tzinfo=UTC)}, "timestamp", "must not be before 1970"),
        ({"parent": "p1"}, "parent", "must be a job"),
        ({"parent": {"id": "p1"}}, "parent.queue", "must be 'prefix:name'"),
        ({"parent": {"id": "p1", "queue": "q"}}, "parent.queue", "must be 'prefix:name'"),
        ({"parent": {"id": "p1", "queue": ":q"}}, "parent.queue", "must be 'prefix:name'"),
        ({"parent": {"queue": "bull:q"}}, "parent.id", "must not be empty"),
        ({"parent": {"id": 5, "queue": "bull:q"}}, "parent.id", "must be a str"),
        ({"parent": {**PARENT, "key": "x"}}, "parent.key", "there is no such option"),
        ({"parent": AJob(None, QueueRef("bull", "q"))}, "parent.id", "must be a str"),
        ({"deduplication": "d"}, "deduplication", "must be a Dedup or a mapping"),
        ({"deduplication": {}}, "deduplication.id", "needs an id"),
        ({"deduplication": {"id": ""}}, "deduplication.id", "needs an id"),
        ({"deduplication": {"id": 5}}, "deduplication.id", "must be a str"),
        ({"deduplication": {"id": "d", "ttl": -1}}, "deduplication.ttl", "must be between"),
        ({"deduplication": {"id": "d", "ttl": "1s"}}, "deduplication.ttl", "must be a finite number"),
        ({"deduplication": {"id": "d", "extend": 1}}, "deduplication.extend", "must be True or False"),
        ({"deduplication": {"id": "d", "exted": True}}, "deduplication.exted", "did you mean"),
        ({"deduplication": Dedup("d"), "parent": PARENT}, "deduplication", "together with parent"),
        ({"on_failure": "explode"}, "on_failure", "must be one of"),
        ({"on_failure": None}, "on_failure", "must be one of"),
        ({"fail_parent_on_failure": 1}, "fail_parent_on_failure", "must be True or False"),
        ({"telemetry": "m"}, "telemetry", "must be a mapping"),
        ({"telemetry": {"metadata": 5}}, "telemetry.metadata", "must be a str"),
        ({"telemetry": {"omit_context": 1}}, "telemetry.omit_context", "must be True or False"),
        (
            {"telemetry": {"omitContext": True}},
            "telemetry.omitContext",
            "did you mean 'telemetry.omit_context'",
        ),
        ({"timeout": 0}, "timeout", "must be at least 0.001 seconds"),
        ({"timeout": "5s"}, "timeout", "must be seconds"),
        ({"timeout": None}, "timeout", "must be seconds"),
        ({"soft_timeout": 5, "timeout": 5}, "soft_timeout", "must be shorter than the timeout, 5 seconds"),
        ({"expires_in": -1}, "expires_in", "must not be negative"),
        ({"expire_in": 1}, "expire_in", "did you mean 'expires_in'"),
        ({"extra": {"toril": {"timeout": 5}}}, "extra.toril", "has a meaning of its own"),
        ({"extra": [1]}, "extra", "must be a mapping"),
        ({"extra": {5: 1}}, "extra", "must be a str"),
        ({"extra": {"delay": 5}}, "extra.delay", "has a meaning of its own"),
        ({"extra": {"repeat": {}}}, "extra.repeat", "has a meaning of its own"),
        ({"extra": {"job_id": "a"}}, "extra.job_id", "has a meaning of its own"),
        ({"dealy": 5}, "dealy", "did you mean 'delay'"),
        ({"delay": 5, "jobId": "a"}, "jobId", "did you mean 'job_id'"),
        ({5: 1}, "5", "known are"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options: dict[str, Any], option: str, problem: str) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        resolved(options)

    assert caught.value.option == option


POLICIES = (
    {"on_failure": "ignore"},
    {"fail_parent_on_failure": True},
    {"continue_parent_on_failure": True},
    {"ignore_dependency_on_failure": True},
    {"remove_dependency_on_failure": True},
)


@pytest.mark.parametrize("one", POLICIES)
@pytest.mark.parametrize("other", POLICIES)
def test_there_is_one_policy_for_failures(one: dict[str, Any], other: dict[str, Any]) -> None:
    if one == other:
        assert resolved(one).stored
    else:
        with pytest.raises(OptionError, match="can't be used together with"):
            resolved(one | other)


@pytest.mark.parametrize(("limit", "size"), [(13, 13), (14, 13), (0, 10**9)])
def test_a_payload_within_its_limit_is_taken(limit: int, size: int) -> None:
    assert resolved({"size_limit": limit}, data_size=size).stored["sizeLimit"] == limit


def test_a_payload_beyond_its_limit_is_refused() -> None:
    with pytest.raises(OptionError, match="the data of job 'paint' takes 13 bytes") as caught:
        resolved({"size_limit": 12}, data_size=13)

    assert (caught.value.option, caught.value.value) == ("size_limit", 12)


@given(st.permutations(["size_limit", "job_id", "priority", "deduplication", "backoff"]))
def test_of_several_mistakes_the_first_of_bullmq_is_told(order: list[str]) -> None:
    mistakes: dict[str, Any] = {
        "size_limit": 1,
        "job_id": "5",
        "priority": 0.5,
        "deduplication": {},
        "backoff": {"type": "fixed", "jitter": 2},
    }
    given_order = {option: mistakes[option] for option in order}
    told: list[str] = []
    while given_order:
        with pytest.raises(OptionError) as caught:
            resolved(given_order)
        told.append(caught.value.option.partition(".")[0])
        del given_order[told[-1]]

    assert told == list(mistakes)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_names_a_job(name: str) -> None:
    assert resolve(name, {}, NOW, 2).stored == {"attempts": 0}


@pytest.mark.parametrize(
    ("name", "problem"), [(5, "must be a str"), (None, "must be a str"), ("\ud800", "surrogate")]
)
def test_a_wrong_job_name_is_refused(name: Any, problem: str) -> None:
    for options in ({}, {"attempts": 1}):
        with pytest.raises(OptionError, match=problem) as caught:
            resolve(name, options, NOW, 2)

        assert caught.value.option == "name"


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"id": "d", "ttl": math.inf}, "ttl"),
        ({"id": "d", "ttl": True}, "ttl"),
        ({"id": "d", "extend": 1}, "extend"),
        ({"id": "d", "replace": None}, "replace"),
        ({"id": "d", "reschedule": "yes"}, "reschedule"),
        ({"id": "d", "keep_last_if_active": 1}, "keep_last_if_active"),
    ],
)
def test_a_wrong_deduplication_is_never_made(arguments: dict[str, Any], option: str) -> None:
    with pytest.raises(OptionError) as caught:
        Dedup(**arguments)

    assert caught.value.option == option


@pytest.mark.parametrize(
    ("defaults", "options", "merged"),
    [
        ({}, {"delay": 1}, {"delay": 1}),
        ({"delay": 1}, {}, {"delay": 1}),
        ({"attempts": 3, "delay": 1}, {"delay": 2}, {"attempts": 3, "delay": 2}),
        ({"delay": 1}, {"at": AT_NOW}, {"at": AT_NOW}),
        ({"at": AT_NOW}, {"delay": 0}, {"delay": 0}),
        ({"on_failure": "ignore"}, {"fail_parent_on_failure": True}, {"fail_parent_on_failure": True}),
        (
            {"fail_parent_on_failure": True},
            {"ignore_dependency_on_failure": False},
            {"fail_parent_on_failure": True, "ignore_dependency_on_failure": False},
        ),
        ({"extra": {"a": 1, "b": 1}}, {"extra": {"b": 2}}, {"extra": {"a": 1, "b": 2}}),
        ({"extra": {"a": 1}}, {"delay": 1}, {"extra": {"a": 1}, "delay": 1}),
        ({"extra": {"a": 1}}, {"extra": 5}, {"extra": 5}),
    ],
)
def test_a_job_overrules_its_queue(defaults: AddOptions, options: AddOptions, merged: AddOptions) -> None:
    before = dict(defaults), dict(options)

    assert merge(defaults, options) == merged
    assert (defaults, options) == before
