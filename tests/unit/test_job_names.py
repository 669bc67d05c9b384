"""Handlers by the names of their jobs."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from toril import OptionError, UnknownJobName, Unrecoverable, Worker
from toril.core.connection import StoreLink
from toril.core.job import Job
from toril.core.worker.homes import Homes
from toril.core.worker.routes import call_of
from toril.core.worker.settings import Settings
from toril.model.names import QueueRef

REF = QueueRef("bull", "shop")


async def paint(job: Job) -> str:
    return f"painted {job.name}"


async def cars(job: Job) -> str:
    return f"drove {job.name}"


def job_named(name: bytes | None) -> Job:
    fields: dict[bytes, Any] = {} if name is None else {b"name": name}
    return Job(REF, "1", fields, link=StoreLink(REF, None, None))


def unknown(handlers: Mapping[str, Callable[[Job], object]], name: str) -> UnknownJobName:
    with pytest.raises(UnknownJobName) as caught:
        call_of(Homes(Settings()), handlers).run(job_named(name.encode()))
    return caught.value


async def test_each_name_has_its_handler() -> None:
    call = call_of(Homes(Settings()), {"paint": paint, "größe": cars, "": paint})

    assert await call.run(job_named(b"paint")) == "painted paint"
    assert await call.run(job_named("größe".encode())) == "drove größe"
    assert await call.run(job_named(None)) == "painted "


async def test_the_star_serves_all_others() -> None:
    call = call_of(Homes(Settings()), UserDict({"paint": paint, "*": cars}))

    assert await call.run(job_named(b"paint")) == "painted paint"
    assert await call.run(job_named(b"sail")) == "drove sail"
    assert await call.run(job_named(b"*")) == "drove *"


async def test_later_changes_of_the_mapping_are_not_seen() -> None:
    handlers = {"paint": paint}
    call = call_of(Homes(Settings()), handlers)
    handlers["cars"] = cars
    del handlers["paint"]

    assert await call.run(job_named(b"paint")) == "painted paint"
    with pytest.raises(UnknownJobName):
        call.run(job_named(b"cars"))


def test_an_unknown_name_is_told_with_the_nearest_and_all_that_are_known() -> None:
    error = unknown({"paint": paint, "cars": cars}, "pain")

    assert isinstance(error, Unrecoverable)
    assert error.name == "pain"
    assert str(error) == (
        "there is no handler for jobs named 'pain'; did you mean 'paint'? known are 'cars', 'paint'"
    )
    assert str(unknown({"paint": paint}, "sail")) == (
        "there is no handler for jobs named 'sail'; known are 'paint'"
    )


def test_a_name_that_is_no_text_meets_no_handler_by_chance() -> None:
    call = call_of(Homes(Settings()), dict.fromkeys(("\ufffd", "?", "\udcff"), paint))

    with pytest.raises(UnknownJobName):
        call.run(job_named(b"\xff"))


def test_long_and_many_names_make_no_long_message() -> None:
    handlers = {f"{number:03} {'name' * 1000}": paint for number in range(300)}
    error = unknown(handlers, "x" * 100_000)

    assert str(error).endswith(" and 290 more")
    assert len(str(error)) < 1200


@pytest.mark.parametrize(
    ("handlers", "option", "problem"),
    [
        ({}, "handler", "must have a handler for one name at least"),
        ({"paint": 5}, "handler['paint']", "can't be called"),
        ({"paint": None}, "handler['paint']", "can't be called"),
        ({"paint": paint, 5: paint}, "handler[5]", "names of jobs are texts"),
        ({b"paint": paint}, "handler[b'paint']", "names of jobs are texts"),
        ({"paint": lambda: None}, "handler['paint']", "it takes no argument"),
        ({"paint": {"red": paint}}, "handler['paint']", "can't be called"),
    ],
)
def test_a_mapping_that_is_no_use_is_refused_before_anything_happens(
    handlers: Any, option: str, problem: str
) -> None:
    with pytest.raises(OptionError, match=problem) as caught:
        Worker("shop", handlers)

    assert caught.value.option == option
