"""The queues of a worker, and whose handlers are whose."""

from __future__ import annotations

from typing import Any

import pytest

from toril import Job, OptionError, Worker
from toril.core.connection import StoreLink
from toril.core.worker.aging import Aging
from toril.core.worker.homes import Call, Homes
from toril.core.worker.queues import call_for, read_queues
from toril.core.worker.routes import Handlers, call_of
from toril.core.worker.settings import Settings
from toril.model.names import QueueRef


async def one(job: Job) -> str:
    return "one"


async def other(job: Job) -> str:
    return "other"


def make(handlers: Handlers, option: str) -> Call:
    return call_of(Homes(Settings()), handlers, option)


def job_of(queue: str, name: str = "work") -> Job:
    ref = QueueRef("bull", queue)
    return Job(ref, "1", {b"name": name.encode()}, link=StoreLink(ref, None, None))


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ("a", {"a": 1}),
        (["a", "b"], {"a": 1, "b": 1}),
        (("b", "a"), {"b": 1, "a": 1}),
        ([("a", 5), "b"], {"a": 5, "b": 1}),
        ({"a": 0.5, "b": 2}, {"a": 0.5, "b": 2}),
        ((name for name in "ab"), {"a": 1, "b": 1}),
    ],
)
def test_queues_can_be_named_in_several_ways(given: Any, weights: dict[str, float]) -> None:
    read = read_queues(given)

    assert [*read.items()] == [*weights.items()]


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ([], "queue"),
        ({}, "queue"),
        (None, "queue"),
        (5, "queue"),
        (["a", "a"], "queue"),
        ([("a", 1), "a"], "queue"),
        ([("a", 1, 2)], "queue"),
        ([5], "queue"),
        ([b"a"], "queue"),
        ([("a", 0)], "queue['a']"),
        ([("a", -1)], "queue['a']"),
        ([("a", float("nan"))], "queue['a']"),
        ([("a", float("inf"))], "queue['a']"),
        ([("a", True)], "queue['a']"),
        ([("a", "5")], "queue['a']"),
        ([("a", None)], "queue['a']"),
        ({"a": 1, "b": 1e9}, "queue['b']"),
        (["a", ""], "name"),
        (["a:b"], "name"),
        ([(5, 5)], "name"),
        ("", "name"),
    ],
)
def test_what_names_no_queues_is_refused(given: Any, option: str) -> None:
    with pytest.raises(OptionError) as caught:
        Worker(given, one)

    assert caught.value.option == option


@pytest.mark.parametrize(
    ("options", "option", "says"),
    [
        ({"policy": "stict"}, "policy", "did you mean 'strict'?"),
        ({"policy": "fair"}, "policy", "known are strict, weighted"),
        ({"policy": ["strict"]}, "policy", "there is no such policy"),
        ({"policy": "strict"}, "policy", "give them no weights"),
        ({"priority_share": -0.1}, "priority_share", "between 0 and 1"),
        ({"priority_share": 1.5}, "priority_share", "between 0 and 1"),
        ({"priority_share": float("nan")}, "priority_share", "finite"),
        ({"priority_share": "0.1"}, "priority_share", "number"),
        ({"priority_shares": 0.1}, "priority_shares", "did you mean 'priority_share'?"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Any, option: str, says: str) -> None:
    with pytest.raises(OptionError, match=says.replace("?", r"\?")) as caught:
        Worker([("a", 5), ("b", 1)], one, **options)

    assert caught.value.option == option


@pytest.mark.parametrize(
    ("handler", "by_queue", "option", "says"),
    [
        (None, None, "handler", "processes one queue"),
        (one, {"a": one, "b": one}, "by_queue", "either handler"),
        ({"a": one, "work": one}, None, "handler", "a queue or a name of jobs"),
        (None, {"a": one, "b": one, "aa": one}, "queue of this worker", "did you mean 'a'?"),
        (None, {"a": one}, "by_queue", "no handler for queue 'b'"),
        (None, {"a": one, "b": None}, "by_queue['b']", "by_queue"),
        (None, {"a": one, "b": {}}, "by_queue['b']", "one name at least"),
        (None, {"a": one, "b": {"work": 5}}, "by_queue['b']['work']", "by_queue"),
        (None, [one, one], "by_queue", "must be a mapping"),
        (None, {}, "by_queue", "no handler for queue 'a'"),
    ],
)
def test_it_must_be_clear_who_handles_what(handler: Any, by_queue: Any, option: str, says: str) -> None:
    with pytest.raises(OptionError, match=says.replace("?", r"\?")) as caught:
        Worker(["a", "b"], handler, by_queue=by_queue)

    assert caught.value.option == option


async def test_one_handler_serves_all_queues() -> None:
    call = call_for({"a": 1, "b": 1}, {"work": one, "*": other}, None, make)

    assert call is not None
    assert await call.run(job_of("a")) == "one"
    assert await call.run(job_of("b", "rest")) == "other"


async def test_or_each_has_its_own() -> None:
    call = call_for({"a": 1, "b": 1}, None, {"b": {"b": one, "*": other}, "a": one}, make)

    assert call is not None
    assert [await call.run(job) for job in (job_of("a", "b"), job_of("b", "b"), job_of("b"))] == [
        "one",
        "one",
        "other",
    ]


async def test_one_queue_may_be_named_by_its_handler_too() -> None:
    call = call_for({"a": 1}, None, {"a": one}, make)

    assert call is not None
    assert await call.run(job_of("a")) == "one"


@pytest.mark.parametrize(("share", "every"), [(0.1, 10), (0.5, 2), (1.0, 1), (0.3, 4)])
def test_a_share_of_jobs_is_taken_for_its_age(share: float, every: int) -> None:
    aging, aged = Aging(share), list[int]()
    for _ in range(200):
        aged.append(aging.of(1))
        aging.took(1, aged[-1])

    assert sum(aged) == round(200 * share)
    assert aged.index(1) == every - 1


def test_many_at_once_have_the_same_share() -> None:
    aging, aged = Aging(0.1), 0
    for count in [50, 7, 1, 1, 1, 40, 3] * 20:
        aged += aging.of(count)
        aging.took(count, aging.of(count))

    assert abs(aged - 103 * 20 * 0.1) <= 1


def test_an_empty_queue_saves_nothing_up() -> None:
    aging = Aging(0.1)
    for _ in range(100):
        aging.took(0, aging.of(50))

    assert aging.of(1) == 0
    assert Aging(0.0).of(1000) == 0
