"""All readers of an event loop share one connection, and it is quiet when nothing happens."""

from __future__ import annotations

import asyncio
import base64
import gc

from tests.integration.events.reading import PATIENCE, names, read
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory, QueueFactory, WorkerStarter
from toril import Event, Job, Queue, QueueEvents

QUEUES = 50


def feeds(database: Database) -> list[dict[str, str]]:
    """Connections that read events."""
    return [client for client in database.clients() if client["name"].endswith(":qe")]


def calls(database: Database, command: str) -> int:
    """How often a command was run so far."""
    found = database.command("INFO", "commandstats").get(f"cmdstat_{command}")
    return found["calls"] if found else 0


def connections(database: Database) -> int:
    """How many connections were made so far."""
    return database.command("INFO", "stats")["total_connections_received"]


async def test_many_readers_of_many_queues(
    prefix: str, new_queue: QueueFactory, new_events: EventsFactory, database: Database
) -> None:
    queues = [await new_queue(f"q{number}").ready() for number in range(QUEUES)]
    readers = [await new_events(queue.name).ready() for queue in queues for _ in range(3)]
    before = connections(database)
    reading = [asyncio.create_task(read(events, 4)) for events in readers]

    for queue in queues:
        await queue.publish_event("tick")
    for queue in reversed(queues):
        await queue.publish_event("tock")
        await queue.add("any")
    async with asyncio.timeout(PATIENCE):
        told = await asyncio.gather(*reading)

    assert [names(events) for events in told] == [["tick", "tock", "added", "waiting"]] * len(readers)
    for events, reader in zip(told, readers, strict=True):
        assert {event.queue_name for event in events} == {reader.name}
    assert len(feeds(database)) == 1
    # Whoever came later joined in without making the connection anew.
    assert connections(database) == before + 1


async def test_the_connection_is_found_by_its_name(
    prefix: str, new_queue: QueueFactory, new_events: EventsFactory, database: Database
) -> None:
    queue = await new_queue("ä 1").ready()
    events = await new_events("ä 1").ready()
    await queue.publish_event("tick")
    await read(events, 1)

    name = base64.b64encode("ä 1".encode()).decode()
    assert [client["name"] for client in feeds(database)] == [f"{prefix}:{name}:qe"]


async def test_a_new_reader_does_not_wait_for_the_wait_of_the_others(
    new_queue: QueueFactory, new_events: EventsFactory, database: Database
) -> None:
    old, new = await new_queue("old").ready(), await new_queue("new").ready()
    events = await new_events("old", blocking_timeout=60).ready()
    reading = asyncio.create_task(read(events, 1))
    await eventually(lambda: [client["cmd"] for client in feeds(database)] == ["xread"])
    other = await new_events("new").ready()
    second = asyncio.create_task(read(other, 1))
    await new.publish_event("tick")

    async with asyncio.timeout(3):
        assert names(await second) == ["tick"]
    await old.publish_event("tock")
    assert names(await reading) == ["tock"]


async def test_results_of_many_queues_share_it(
    new_queue: QueueFactory, new_events: EventsFactory, start_worker: WorkerStarter, database: Database
) -> None:
    queues = [await new_queue(f"q{number}").ready() for number in range(10)]
    events = await new_events("q0").ready()
    reading = asyncio.create_task(read(events, 5))
    jobs = [await queue.add("any", queue.name) for queue in queues]
    waiting = [asyncio.create_task(job.result(PATIENCE)) for job in jobs]

    async def work(job: Job) -> str:
        return f"{job.data} done"

    await eventually(lambda: [client["cmd"] for client in feeds(database)] == ["xread"])
    for queue in queues:
        await start_worker(work, queue.name)

    assert await asyncio.gather(*waiting) == [f"q{number} done" for number in range(10)]
    assert names(await reading)[:4] == ["added", "waiting", "active", "completed"]
    assert len(feeds(database)) == 1


async def test_results_one_after_the_other_use_it_again(
    new_queue: QueueFactory, start_worker: WorkerStarter, database: Database
) -> None:
    queue = await new_queue().ready()

    async def work(job: Job) -> int:
        return job.data

    await start_worker(work)
    found: set[str] = set()
    for number in range(20):
        assert await (await queue.add("any", number)).result(PATIENCE) == number
        found |= {client["id"] for client in feeds(database)}

    assert len(found) == 1


async def test_a_slow_reader_holds_nobody_up(
    new_queue: QueueFactory, new_events: EventsFactory, database: Database
) -> None:
    queue = await new_queue().ready()
    slow, quick = await new_events().ready(), await new_events().ready()
    loop = aiter(slow)
    await queue.publish_event("first")
    assert (await anext(loop)).name == "first"
    await queue.add_many([("any", None)] * 3000)
    await queue.publish_event("last")

    told = await read(quick, 6002)
    assert told[-1].name == "last"
    # It has kept its place, and goes on when it likes.
    rest = [await anext(loop) for _ in range(6001)]
    assert [event.id for event in rest] == [event.id for event in told[1:]]
    await loop.aclose()


async def test_a_slow_reader_keeps_few_big_events_ready(queue: Queue, new_events: EventsFactory) -> None:
    slow, quick = await new_events().ready(), await new_events().ready()
    await queue.publish_event("first")
    loop, others = aiter(slow), aiter(quick)
    assert (await anext(loop)).name == (await anext(others)).name == "first"
    for number in range(40):
        await queue.publish_event("big", n=number, x="x" * 300_000)

    for number in range(40):
        assert (await anext(others)).fields["n"] == str(number)
    gc.collect()
    kept = [thing for thing in gc.get_objects() if isinstance(thing, Event) and thing.queue == queue.ref]
    assert len(kept) < 10

    assert [(await anext(loop)).fields["n"] for _ in range(40)] == [str(number) for number in range(40)]
    await loop.aclose()
    await others.aclose()


async def test_idle_readers_ask_for_little(
    new_queue: QueueFactory, new_events: EventsFactory, database: Database
) -> None:
    """Each wait of the many readers takes one command of its full length."""
    for number in range(10):
        await new_queue(f"q{number}").ready()
    readers = [await new_events(f"q{number}", blocking_timeout=1).ready() for number in range(10)]
    reading = [asyncio.create_task(read(events, 1)) for events in readers]
    await eventually(lambda: [client["cmd"] for client in feeds(database)] == ["xread"])
    begin, looks = calls(database, "xread"), calls(database, "xinfo|stream")

    await eventually(lambda: calls(database, "xread") >= begin + 3)

    assert calls(database, "xinfo|stream") == looks
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)


async def test_a_reader_that_is_dropped_in_the_middle_is_not_read_for(
    new_queue: QueueFactory, new_events: EventsFactory, database: Database
) -> None:
    queue = await new_queue().ready()
    events: QueueEvents = await new_events(blocking_timeout=0.05).ready()
    other = await new_events("other", blocking_timeout=0.05).ready()
    reading = asyncio.create_task(read(other, 1))
    await queue.publish_event("tick")
    await read(events, 1)
    await eventually(lambda: [client["cmd"] for client in feeds(database)] == ["xread"])
    looks = calls(database, "xinfo|stream")
    begin = calls(database, "xread")
    await queue.add_many([("any", None)] * 100)
    await eventually(lambda: calls(database, "xread") >= begin + 3)

    assert calls(database, "xinfo|stream") <= looks + 1
    reading.cancel()
    await asyncio.wait([reading])
