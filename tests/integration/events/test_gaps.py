"""What is missing is told, never silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from tests.integration.events.reading import PATIENCE, names, read
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory
from toril import Event, Queue, QueueEvents


async def test_a_reader_that_was_away_for_too_long(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    events = await new_events(reader="late").ready()
    ids = [await queue.publish_event("tick", n=number) for number in range(20)]
    await read(events, 5)
    await events.commit()
    await events.close()
    database.command("XTRIM", queue.ref.base + "events", "MAXLEN", 4)

    events = new_events(reader="late")
    told = await read(events, 5)

    gap = told[0]
    assert (gap.name, gap.is_gap, gap.lost) == ("gap", True, 11)
    assert (gap.fields["after"], gap.fields["before"]) == (ids[4], ids[16])
    assert [event.id for event in told[1:]] == ids[16:]
    await events.commit()
    await events.close()

    # It was handled, so it is not told again.
    await queue.publish_event("tock")
    assert names(await read(new_events(reader="late"), 1)) == ["tock"]


async def test_a_gap_that_was_handled_is_not_told_again(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    events = await new_events(reader="late").ready()
    for number in range(20):
        await queue.publish_event("tick", n=number)
    database.command("XTRIM", queue.ref.base + "events", "MAXLEN", 4)
    assert [event.lost for event in await read(events, 1)] == [16]
    await events.commit()
    await events.close()

    told = await read(new_events(reader="late"), 4)
    assert [event.fields["n"] for event in told] == ["16", "17", "18", "19"]


async def test_a_stream_that_was_removed(queue: Queue, new_events: EventsFactory, database: Database) -> None:
    events = await new_events(reader="kept").ready()
    for number in range(3):
        await queue.publish_event("tick", n=number)
    await read(events, 3)
    await events.commit()
    database.command("DEL", queue.ref.base + "events")
    await queue.publish_event("tick", n=3)

    told = await read(events, 2)

    assert (told[0].is_gap, told[0].lost) == (True, None)
    assert told[1].fields["n"] == "3"


async def test_a_stream_that_began_again_before_the_place(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    """Its ids are behind the one that was read last, where nobody would look for them."""
    events = await new_events(reader="ahead").ready()
    await queue.publish_event("tick", n=0)
    await read(events, 1)
    await events.commit()
    await events.close()
    key = queue.ref.base + "events"
    database.command("DEL", key)
    database.command("XADD", key, "5-0", "event", "old")

    told = await read(new_events(reader="ahead"), 2)

    assert [event.name for event in told] == ["gap", "old"]
    assert (told[0].lost, told[0].fields["before"], told[1].id) == (None, "5-0", "5-0")


async def test_a_stream_that_begins_again_before_the_place_while_it_is_read(
    queue: Queue, new_events: EventsFactory, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server would say nothing; a look now and then finds out."""
    monkeypatch.setattr("toril.core.feed._LOOK_EVERY", 0.3)
    events = await new_events(blocking_timeout=0.1).ready()
    reading = asyncio.create_task(read(events, 3))
    await queue.publish_event("tick")
    key = queue.ref.base + "events"
    await eventually(lambda: any(one["cmd"] == "xread" for one in database.clients()))
    database.command("DEL", key)
    database.command("XADD", key, "5-0", "event", "old")

    assert names(await reading) == ["tick", "gap", "old"]


async def test_an_id_that_is_gone(queue: Queue, new_events: EventsFactory, database: Database) -> None:
    ids = [await queue.publish_event("tick", n=number) for number in range(10)]
    database.command("XTRIM", queue.ref.base + "events", "MAXLEN", 5)

    assert [event.id for event in await read(new_events(last_event_id=ids[4]), 6)] == [ids[4], *ids[5:]]
    assert [event.id for event in await read(new_events(last_event_id=ids[5]), 4)] == ids[6:]
    assert [event.id for event in await read(new_events(last_event_id="0"), 5)] == ids[5:]


async def test_listeners_hear_of_gaps(queue: Queue, new_events: EventsFactory, database: Database) -> None:
    gaps: list[int | None] = []
    events = await new_events(reader="late").ready()
    for number in range(10):
        await queue.publish_event("tick", n=number)
    database.command("XTRIM", queue.ref.base + "events", "MAXLEN", 3)
    events.on("gap", lambda event: gaps.append(event.lost))

    await eventually(lambda: gaps == [7])


async def add_many_jobs(queue: Queue) -> None:
    async def add(part: int) -> None:
        for _ in range(10):
            await queue.add_many([("any", part)] * 250)

    await asyncio.gather(*(add(part) for part in range(4)))
    await queue.publish_event("end")


async def follow(new: Callable[[], QueueEvents], nap: float, life: int) -> list[Event]:
    """Read up to the end, with a nap after each event, in lives of so many events."""
    told: list[Event] = []
    while not told or told[-1].name != "end":
        async with new() as events:
            async for event in events:
                told.append(event)
                if event.name == "end" or len(told) % life == 0:
                    await events.commit()
                    break
                await asyncio.sleep(nap)
    return told


def explain(told: list[Event], total: int) -> None:
    seen = [event for event in told if not event.is_gap]
    lost = [event.lost for event in told if event.is_gap]
    assert None not in lost
    assert len(seen) + sum(number or 0 for number in lost) == total
    order = [tuple(map(int, event.id.split("-"))) for event in seen]
    assert order == sorted(set(order))


async def test_events_and_gaps_explain_everything(
    url: str, prefix: str, new_events: EventsFactory, database: Database
) -> None:
    """Ten thousand jobs, few events kept, and readers that are too slow, or come and go."""
    queue = await Queue("tasks", url=url, prefix=prefix, max_events=300).ready()
    ways = {"quick": (0.0, 10**6), "slow": (0.002, 10**6), "fickle": (0.0, 150)}
    for reader in ways:
        await (await new_events(reader=reader).ready()).close()

    following = [
        asyncio.create_task(follow(partial(new_events, reader=reader), *way)) for reader, way in ways.items()
    ]
    await add_many_jobs(queue)
    async with asyncio.timeout(PATIENCE * 2):
        quick, slow, fickle = await asyncio.gather(*following)
    await queue.close()

    for told in (quick, slow, fickle):
        explain(told, 20_001)
    assert any(event.is_gap for event in slow)
    assert database.command("XLEN", f"{prefix}:tasks:events") < 500
