"""Events of the user's own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.events.reading import read
from tests.support.database import Database
from tests.support.factories import EventsFactory, QueueFactory
from toril import OptionError, Queue
from toril.model.event import BUILT_IN_EVENTS


async def test_texts_are_stored_as_they_are_and_all_else_as_json(queue: Queue, database: Database) -> None:
    fields: dict[str, Any] = {
        "text": 'wörld "1"',
        "number": 1,
        "none": None,
        "yes": True,
        "list": [1, "ä"],
        "at": datetime(2027, 1, 1, tzinfo=UTC),
        "jobId": "7",
        "": "",
    }
    await queue.publish_event("shipped", fields, more=1.5)

    assert database.events(queue.ref.base) == [
        {
            "event": "shipped",
            "text": 'wörld "1"',
            "number": "1",
            "none": "null",
            "yes": "true",
            "list": '[1,"ä"]',
            "at": '"2027-01-01T00:00:00Z"',
            "jobId": "7",
            "": "",
            "more": "1.5",
        }
    ]


async def test_the_id_is_that_of_the_event(queue: Queue, new_events: EventsFactory) -> None:
    events = await new_events().ready()
    ids = await asyncio.gather(*(queue.publish_event("tick", n=number) for number in range(100)))

    told = await read(events, 100)

    assert {event.id: event.json("n") for event in told} == dict(zip(ids, range(100), strict=True))


async def test_the_stream_keeps_what_the_queue_keeps(queue: Queue, database: Database) -> None:
    """BullMQ's producer would cut it to 1000."""
    await queue.add_many([("any", None)] * 1000)
    await queue.publish_event("tick")
    assert database.command("XLEN", queue.ref.base + "events") == 2001

    await queue.publish_event("tick", max_events=500)
    assert database.command("XLEN", queue.ref.base + "events") < 700


@pytest.mark.parametrize("name", [*sorted(BUILT_IN_EVENTS), "gap", "error", "", 7, "\ud800"])
async def test_names_that_can_not_be_used(queue: Queue, database: Database, name: Any) -> None:
    with pytest.raises(OptionError) as caught:
        await queue.publish_event(name, who="me")

    assert (caught.value.option, caught.value.value) == ("name", name)
    assert database.events(queue.ref.base) == []


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        (5, {}),
        ("text", {}),
        ([], {}),
        (0, {}),
        ({"event": "mine"}, {}),
        ({7: "seven"}, {}),
        ({"bad": float("nan")}, {}),
        ({"bad": "\ud800"}, {}),
        ({"bad": object()}, {}),
        ({str(number): "" for number in range(1001)}, {}),
        ({}, {"max_events": -1}),
        ({}, {"max_events": "many"}),
    ],
    ids=[
        "int",
        "str",
        "list",
        "zero",
        "event",
        "number",
        "nan",
        "surrogate",
        "object",
        "many",
        "negative",
        "text",
    ],
)
async def test_fields_that_can_not_be_used(
    queue: Queue, database: Database, fields: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(OptionError):
        await queue.publish_event("mine", fields, **options)

    assert database.events(queue.ref.base) == []


async def test_a_waiter_for_a_result_does_not_mind(
    new_queue: QueueFactory, new_events: EventsFactory
) -> None:
    """An event of one's own about a job is no end of it."""
    queue = await new_queue().ready()
    job = await queue.add("any")
    waiting = asyncio.create_task(job.result(30))
    events = await new_events().ready()
    await queue.publish_event("shipped", jobId=job.id)
    await read(events, 1)
    assert not waiting.done()

    await job.remove()
    error = (await asyncio.gather(waiting, return_exceptions=True))[0]
    assert type(error).__name__ == "JobRemoved"
