"""Events told to listeners."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.integration.events.reading import names, read
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory, WorkerStarter
from toril import Event, OptionError, Queue, QueueEvents, StoreError


async def test_listeners_of_one_kind_of_event(
    queue: Queue, new_events: EventsFactory, start_worker: WorkerStarter
) -> None:
    events, completed, custom = new_events(), list[Event](), list[Event]()
    events.on("completed", completed.append)
    await events.ready()
    events.on("greet", custom.append)

    async def work(job: object) -> str:
        return "done"

    worker = await start_worker(work)
    jobs = [await queue.add("any") for _ in range(3)]
    await queue.publish_event("greet", who="you")
    await eventually(lambda: len(completed) == 3 and len(custom) == 1)
    await worker.close()

    assert [event.job_id for event in completed] == [job.id for job in jobs]
    assert completed[0].return_value == "done"
    assert custom[0].fields["who"] == "you"


async def test_the_channel_of_one_job(queue: Queue, new_events: EventsFactory) -> None:
    told: list[tuple[str, str | None]] = []
    async with new_events() as events:
        events.on("removed:2", lambda event: told.append((event.name, event.job_id)))
        events.on("added:2", lambda event: told.append((event.name, event.job_id)))
        for _ in range(3):
            job = await queue.add("any")
            await job.remove()
        await eventually(lambda: len(told) == 2)

    assert told == [("added", "2"), ("removed", "2")]


async def test_listeners_can_be_taken_off(queue: Queue, new_events: EventsFactory) -> None:
    told: list[str] = []

    def hear(event: Event) -> None:
        told.append(event.fields["n"])
        events.off("tick", hear)

    events = new_events()
    events.on("tick", hear)
    await events.ready()
    done = asyncio.Event()
    events.on("end", lambda event: done.set())
    for number in range(3):
        await queue.publish_event("tick", n=number)
    await queue.publish_event("end")
    await asyncio.wait_for(done.wait(), 10)

    assert told == ["0"]


async def test_a_listener_never_harms_the_reader(
    queue: Queue, new_events: EventsFactory, caplog: pytest.LogCaptureFixture
) -> None:
    events, told = new_events(), list[str]()

    def cancelled(event: Event) -> None:
        raise asyncio.CancelledError

    def broken(event: Event) -> None:
        raise RuntimeError("broken")

    async def broken_later(event: Event) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("broken later")

    for listener in (cancelled, broken, broken_later):
        events.on("tick", listener)
    events.on("tick", lambda event: told.append(event.fields["n"]))
    await events.ready()
    for number in range(3):
        await queue.publish_event("tick", n=number)
    await eventually(lambda: told == ["0", "1", "2"])
    await events.close()

    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 9


async def test_a_loop_is_given_what_listeners_are_told(queue: Queue, new_events: EventsFactory) -> None:
    told: list[str] = []
    events = new_events()
    events.on("tick", lambda event: told.append(event.fields["n"]))
    await events.ready()
    # Listeners are told of these before the loop begins, which is given them all the same.
    for number in range(3):
        await queue.publish_event("tick", n=number)
    await eventually(lambda: len(told) == 3)
    reading = asyncio.create_task(read(events, 5))
    await asyncio.sleep(0)
    await queue.publish_event("tick", n=3)
    await queue.publish_event("tick", n=4)

    assert [event.fields["n"] for event in await reading] == ["0", "1", "2", "3", "4"]
    assert told == ["0", "1", "2", "3", "4"]


async def fail_at_the_next(events: QueueEvents) -> None:
    async for _ in events:
        raise ZeroDivisionError


async def test_listeners_hear_on_when_a_loop_has_ended(queue: Queue, new_events: EventsFactory) -> None:
    old, new = list[str](), list[str]()
    events = new_events()
    events.on("tick", lambda event: old.append(event.fields["n"]))
    await events.ready()
    await queue.publish_event("tick", n=0)
    await read(events, 1)
    await queue.publish_event("tick", n=1)
    await eventually(lambda: old == ["0", "1"])

    events.on("tick", lambda event: new.append(event.fields["n"]))
    with pytest.raises(ZeroDivisionError):
        await fail_at_the_next(events)
    await queue.publish_event("tick", n=2)

    await eventually(lambda: new == ["2"])
    assert old == ["0", "1", "2"]
    # A loop goes on where the one before it stopped.
    assert [event.fields["n"] for event in await read(events, 1)] == ["2"]


async def test_listeners_that_come_when_a_loop_has_ended(queue: Queue, new_events: EventsFactory) -> None:
    told: list[str] = []
    events = await new_events().ready()
    await queue.publish_event("tick", n=0)
    await read(events, 1)
    await asyncio.sleep(0)
    events.on("tick", lambda event: told.append(event.fields["n"]))
    await queue.publish_event("tick", n=1)

    await eventually(lambda: told == ["1"])


async def test_listeners_hear_on_when_a_loop_that_took_over_has_ended(
    queue: Queue, new_events: EventsFactory
) -> None:
    told: list[str] = []
    events = new_events()
    events.on("tick", lambda event: told.append(event.fields["n"]))
    await events.ready()
    first = asyncio.create_task(read(events, 5))
    await queue.publish_event("tick", n=0)
    await eventually(lambda: told == ["0"])
    second = asyncio.create_task(read(events, 1))
    with pytest.raises(AssertionError, match="ended after 1"):
        await first
    await queue.publish_event("tick", n=1)
    await second
    await queue.publish_event("tick", n=2)

    await eventually(lambda: told == ["0", "1", "2"])


async def test_what_keeps_a_reader_from_reading_is_told_once(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    """The stream is a key of another type for a while; other queues are read all the same."""
    errors: list[StoreError] = []
    events, neighbour = new_events(), await new_events("neighbour").ready()
    events.on("error", errors.append)
    ticks: list[str] = []
    events.on("tick", lambda event: ticks.append(event.fields["n"]))
    await events.ready()
    key = queue.ref.base + "events"
    database.command("SET", key, "nonsense")
    database.command("XADD", neighbour.ref.base + "events", "*", "event", "heard")
    assert names(await read(neighbour, 1)) == ["heard"]
    await eventually(lambda: len(errors) == 1)

    database.command("DEL", key)
    await queue.publish_event("tick", n=1)
    await eventually(lambda: ticks == ["1"])
    assert len(errors) == 1
    assert "WRONGTYPE" in str(errors[0])


def test_what_is_no_listener() -> None:
    listener: Any = "print"
    with pytest.raises(OptionError, match="listener"):
        QueueEvents("tasks").on("completed", listener)
