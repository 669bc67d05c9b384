"""Which time limit holds for a job, and which jobs waited too long."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from toril import Job, Worker, WorkerOptions
from toril.core.worker.settings import Settings
from toril.errors import OptionError
from toril.model.bullmq import from_bullmq
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.options import resolve
from toril.model.time_limits import TimeLimit, TimeRules, is_expired, parse_time_limits

NOW = 1_893_456_000_000


def job(name: str = "paint", /, **opts: Any) -> JobRecord:
    fields = {b"name": name.encode(), b"opts": msgspec.json.encode(opts), b"timestamp": str(NOW).encode()}
    return JobRecord(QueueRef("bull", "tasks"), "1", fields)


@pytest.mark.parametrize(
    ("hard", "soft", "limit"),
    [
        ({}, {}, None),
        ({"*": 5}, {}, TimeLimit(5, None)),
        ({}, {"*": 5}, TimeLimit(None, 5)),
        ({"*": 5, "paint": 7}, {"paint": 6, "*": 4}, TimeLimit(7, 6)),
        ({"*": 5, "paint": None}, {}, None),
        ({"other": 5}, {"other": 4}, None),
    ],
)
def test_the_name_goes_before_all_others(
    hard: dict[str, int | None], soft: dict[str, int | None], limit: TimeLimit | None
) -> None:
    assert TimeRules(hard, soft).of(job()) == limit


def test_the_job_goes_before_its_name() -> None:
    rules = TimeRules({"paint": 100}, {"paint": 50})

    assert rules.of(job(toril={"timeout": 30, "softTimeout": 20})) == TimeLimit(30, 20)
    assert rules.of(job(toril={"timeout": 30})) == TimeLimit(30, 50)


@pytest.mark.parametrize("own", [5, "x", [1], None, {"timeout": "5"}, {"timeout": -1}, {"timeout": True}])
def test_what_others_have_stored_there_is_no_limit(own: object) -> None:
    assert TimeRules({}, {}).of(job(toril=own)) is None
    assert not is_expired(job(toril=own), NOW + 10**12)


@pytest.mark.parametrize(
    ("opts", "waited_ms", "expired"),
    [
        ({}, 10**12, False),
        ({"toril": {"expiresIn": 1000}}, 1000, False),
        ({"toril": {"expiresIn": 1000}}, 1001, True),
        ({"toril": {"expiresIn": 1000}, "delay": 5000}, 6000, False),
        ({"toril": {"expiresIn": 1000}, "delay": 5000}, 6001, True),
        ({"toril": {"expiresIn": 1000}, "delay": "soon"}, 1001, True),
    ],
)
def test_a_job_expires_after_its_time(opts: dict[str, Any], waited_ms: int, expired: bool) -> None:
    assert is_expired(job(**opts), NOW + waited_ms) is expired


def test_a_limit_for_all_is_one_for_other_names() -> None:
    assert parse_time_limits(1.5, "timeout") == {"*": 1500}
    assert parse_time_limits({"a": 1, "b": None}, "timeout") == {"a": 1000, "b": None}


@pytest.mark.parametrize(
    ("options", "option", "problem"),
    [
        ({"timeout": 0}, "timeout", "must be at least 0.001 seconds"),
        ({"timeout": "5"}, "timeout", "must be seconds"),
        ({"timeout": {"a": -1}}, "timeout['a']", "must not be negative"),
        ({"timeout": {5: 1}}, "timeout", "must be a str"),
        ({"soft_timeout": {"a": True}}, "soft_timeout['a']", "must be seconds"),
        ({"timeout": 5, "soft_timeout": 5}, "soft_timeout['*']", "must be shorter than the timeout, 5 s"),
        ({"timeout": {"a": 1, "*": 9}, "soft_timeout": 2}, "soft_timeout['a']", "must be shorter"),
        ({"cancel_grace": 0}, "cancel_grace", "must be at least 0.001 seconds"),
        ({"time_out": 5}, "time_out", "did you mean 'timeout'"),
    ],
)
def test_a_worker_refuses_limits_that_contradict_each_other(
    options: dict[str, Any], option: str, problem: str
) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        Settings.read(options)
    assert caught.value.option == option


def test_options_of_a_stored_job_can_be_used_again() -> None:
    stored = resolve("paint", {"timeout": 5, "soft_timeout": 4, "expires_in": 60}, NOW, 2).stored

    again = resolve("paint", dict(from_bullmq(stored)), NOW, 2)

    assert again.stored == stored


@pytest.mark.parametrize("option", ["timeout", "soft_timeout"])
def test_a_worker_refuses_limits_of_jobs_that_it_has_no_handler_for(option: str) -> None:
    """It would hold for no job, and nobody would notice."""

    async def paint(job: Job) -> None: ...

    options = cast("WorkerOptions", {option: {"pain": 5, "*": 60}})
    with pytest.raises(OptionError, match=f"{option}='pain'.*did you mean 'paint'"):
        Worker("tasks", {"paint": paint}, **options)
    assert Worker("tasks", {"paint": paint, "*": paint}, **options)
    assert Worker("tasks", paint, **options)
