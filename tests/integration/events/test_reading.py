"""Reading events in a loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import toril.sync
from tests.integration.events.reading import PATIENCE, names, read, read_until
from tests.support.clock import Clock
from tests.support.database import Database
from tests.support.eventually import eventually, eventually_sync
from tests.support.factories import EventsFactory, WorkerStarter
from tests.support.program import Program
from toril import Event, Job, OptionError, Queue, QueueEvents
from toril.store.contract import Store


async def test_a_job_from_beginning_to_end(
    queue: Queue, new_events: EventsFactory, start_worker: WorkerStarter
) -> None:
    events = await new_events().ready()

    async def work(job: Job) -> dict[str, int]:
        await job.update_progress({"half": 50})
        return {"done": 1}

    worker = await start_worker(work)
    job = await queue.add("mail", {"to": "you"})
    told = await read_until(events, "drained")
    await worker.close()

    assert names(told) == ["added", "waiting", "active", "progress", "completed"]
    assert {event.job_id for event in told} == {job.id}
    assert told[0].job_name == "mail"
    assert told[3].progress == {"half": 50}
    assert (told[4].return_value, told[4].prev) == ({"done": 1}, "active")
    assert [event.id for event in told] == sorted(event.id for event in told)


async def test_only_what_is_told_after_ready(queue: Queue, new_events: EventsFactory) -> None:
    await queue.add("before")
    events = await new_events().ready()
    job = await queue.add("after")

    assert [event.job_id for event in await read(events, 2)] == [job.id] * 2


async def test_all_there_is_from_the_beginning(queue: Queue, new_events: EventsFactory) -> None:
    await queue.add_many([("any", number) for number in range(1200)])

    told = await read(new_events(last_event_id="0"), 2400)

    assert [event.job_id for event in told] == [str(id) for id in range(1, 1201) for _ in "aw"]


async def test_from_an_id_on(queue: Queue, new_events: EventsFactory) -> None:
    ids = [await queue.publish_event("tick", n=number) for number in range(5)]

    told = await read(new_events(last_event_id=ids[1]), 3)

    assert [event.id for event in told] == ids[2:]


@pytest.mark.parametrize("reader", [None, "named"])
@pytest.mark.parametrize("id", [str(10**14), f"{2**64 - 1}-{2**64 - 1}"])
async def test_an_id_of_the_future_is_now(
    queue: Queue, new_events: EventsFactory, reader: str | None, id: str
) -> None:
    await queue.publish_event("before")
    events = await new_events(last_event_id=id, reader=reader).ready()
    await queue.publish_event("after")

    assert names(await read(events, 1)) == ["after"]


@pytest.mark.parametrize("reader", [None, "named"])
async def test_an_id_that_only_the_stream_has_not_had(
    queue: Queue, new_events: EventsFactory, database: Database, reader: str | None
) -> None:
    """Its stream was removed, with what was behind it. The clock of the server may go before ours, too."""
    id = await queue.publish_event("before")
    database.command("DEL", queue.ref.base + "events")
    events = await new_events(last_event_id=id, reader=reader).ready()
    assert names(await read(events, 1)) == ["gap"]
    await queue.publish_event("after")
    assert names(await read(events, 1)) == ["after"]

    later = "99999999999999-0"
    database.command("XADD", queue.ref.base + "events", later, "event", "later")
    await queue.publish_event("last")
    assert names(await read(new_events(last_event_id=later), 1)) == ["last"]


async def test_another_loop_goes_on_where_the_first_one_stopped(
    queue: Queue, new_events: EventsFactory
) -> None:
    events = await new_events().ready()
    for number in range(6):
        await queue.publish_event("tick", n=number)

    told = [*await read(events, 2), *await read(events, 1), *await read(events, 3)]

    assert [event.fields["n"] for event in told] == list("012345")


async def test_a_second_loop_takes_over_from_the_first(queue: Queue, new_events: EventsFactory) -> None:
    events = await new_events().ready()

    told: list[str] = []

    first = asyncio.create_task(note(events, told))
    await queue.publish_event("one")
    await eventually(lambda: told == ["one"])
    second = asyncio.create_task(read(events, 1))
    await asyncio.wait_for(first, PATIENCE)
    await queue.publish_event("two")

    assert names(await second) == ["two"]
    assert told == ["one"]


async def note(events: QueueEvents, told: list[str]) -> None:
    """Note the names of all events."""
    async for event in events:
        told += [event.name]


async def test_breaking_out_stops_reading(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    """The connection goes, too, when nobody else wants it."""
    events = await new_events(blocking_timeout=60).ready()
    tasks = asyncio.all_tasks()
    await queue.publish_event("tick")
    await read(events, 1)
    assert any(is_feed(client) for client in database.clients())

    await eventually(lambda: not any(is_feed(client) for client in database.clients()))
    assert asyncio.all_tasks() <= tasks


def is_feed(client: dict[str, str]) -> bool:
    return client["name"].endswith(":qe")


async def test_a_loop_that_is_cancelled(queue: Queue, new_events: EventsFactory) -> None:
    events = await new_events().ready()
    reading = asyncio.create_task(read(events, 1))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()

    await queue.publish_event("tick")
    assert names(await read(events, 1)) == ["tick"]


async def test_closing_ends_loops(queue: Queue, new_events: EventsFactory) -> None:
    events = await new_events().ready()

    told: list[str] = []

    looping = asyncio.create_task(note(events, told))
    await queue.publish_event("tick")
    await eventually(lambda: told == ["tick"])
    await events.close()

    await asyncio.wait_for(looping, PATIENCE)


async def test_ready_means_that_nothing_is_missed_under_load(queue: Queue, new_events: EventsFactory) -> None:
    """Each marker is told right after a reader said that it is ready, and other events never stop."""
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            await queue.add_many([("any", None)] * 20)

    loading = asyncio.create_task(load())
    try:
        for number in range(25):
            events = await new_events().ready()
            await queue.publish_event("marker", n=number)
            assert (await marker(events)).fields["n"] == str(number)
            await events.close()
    finally:
        stop.set()
        await loading


async def marker(events: QueueEvents) -> Event:
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            if event.name == "marker":
                return event
    raise AssertionError("the events ended")


async def test_entries_of_others_never_end_a_loop(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    events = await new_events().ready()
    key = queue.ref.base + "events"
    entries: list[tuple[str, ...]] = [
        ("event", "completed", "jobId", "1", "returnvalue", "{not json"),
        ("event", "progress", "jobId", "1", "data", ""),
        ("event", "delayed", "jobId", "1", "delay", "soon"),
        ("no", "name"),
        ("jobId", "1", "event", "last-field"),
    ]
    for entry in entries:
        database.command("XADD", key, "*", *entry)

    told = await read(events, 5)

    assert names(told) == ["completed", "progress", "delayed", "", "last-field"]
    assert (told[0].return_value, told[1].progress, told[2].due) == ("{not json", "", None)


async def test_on_a_store_of_ones_own(store: Store, prefix: str, clock: Clock) -> None:
    queue = Queue("tasks", store=store, prefix=prefix)
    async with QueueEvents("tasks", store=store, prefix=prefix) as events:
        await queue.add("later", delay=60)
        told = await read(events, 2)
    await queue.close()

    due = told[1].due
    assert due is not None
    assert due.timestamp() * 1000 == clock.now_ms() + 60_000


@pytest.mark.parametrize(
    "options",
    [
        {"name": "a:b"},
        {"reader": ""},
        {"reader": 7},
        {"last_event_id": "yesterday"},
        {"blocking_timeout": 0},
        {"blocking_timeout": float("nan")},
        {"prefix": ""},
    ],
    ids=str,
)
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "tasks", **options}
    with pytest.raises(OptionError) as caught:
        QueueEvents(**given)

    assert caught.value.option in options


def test_in_blocking_code(url: str, prefix: str) -> None:
    with (
        toril.sync.Queue("tasks", url=url, prefix=prefix) as queue,
        toril.sync.QueueEvents("tasks", url=url, prefix=prefix, reader="blocking") as events,
    ):
        for number in range(3):
            queue.publish_event("tick", n=number)
        for event in events:
            if event.fields["n"] == "1":
                break
        events.commit()
    with toril.sync.QueueEvents("tasks", url=url, prefix=prefix, reader="blocking") as events:
        assert next(iter(events)).fields["n"] == "2"
        assert events.forget() is True


def test_listeners_in_blocking_code(url: str, prefix: str) -> None:
    heard: list[str] = []
    with (
        toril.sync.Queue("tasks", url=url, prefix=prefix) as queue,
        toril.sync.QueueEvents("tasks", url=url, prefix=prefix) as events,
    ):
        events.on("tick", lambda event: heard.append(event.fields["n"]))
        for number in range(3):
            queue.publish_event("tick", n=number)
        assert eventually_sync(lambda: heard == ["0", "1", "2"])


FORGETFUL = """
import sys
from toril.sync import Queue, QueueEvents

queue = Queue("tasks", url=sys.argv[1], prefix=sys.argv[2])
events = iter(QueueEvents("tasks", url=sys.argv[1], prefix=sys.argv[2], last_event_id="0"))
queue.publish_event("tick")
print(next(events).name)
"""


async def test_a_blocking_loop_that_is_never_closed_lets_the_program_end(url: str, prefix: str) -> None:
    with Program(FORGETFUL, url, prefix) as program:
        assert await asyncio.to_thread(program.line) == "tick"
        assert await asyncio.to_thread(program.exit_code) == 0


UNCLOSED = """
import asyncio, sys
from toril import Queue, QueueEvents

async def main():
    queue = Queue("tasks", url=sys.argv[1], prefix=sys.argv[2])
    await queue.publish_event("tick")
    async for event in QueueEvents("tasks", url=sys.argv[1], prefix=sys.argv[2], last_event_id="0"):
        print(event.name)
        return

asyncio.run(main(), debug=True)
"""


async def test_a_loop_that_is_never_closed_lets_the_program_end(url: str, prefix: str) -> None:
    with Program(UNCLOSED, url, prefix) as program:
        assert await asyncio.to_thread(program.line) == "tick"
        assert await asyncio.to_thread(program.exit_code) == 0
