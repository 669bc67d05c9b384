"""The stored place of a named reader: what holds it, and what it survives."""

from __future__ import annotations

import asyncio
import gc

import pytest

from tests.integration.events.reading import cursor_of, names, numbers, read, tick
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory
from toril import Event, Queue, ReaderReplaced
from toril.model.stream import Place


async def test_listeners_do_not_count_what_a_loop_had_in_hand(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    """They go on when the loop has ended; what it had in hand is handled when ``commit`` says so."""
    told: list[Event] = []
    events = new_events(reader="both")
    events.on("tick", told.append)
    await events.ready()
    await tick(queue, 0, 1)
    handled, in_hand = await read(events, 2)
    await tick(queue, 2)
    await eventually(lambda: numbers(told) == [0, 1, 2])
    await events.close()
    assert database.command("HGET", cursor_of(queue, "both"), "id") == handled.id

    assert [event.id for event in await read(events, 1)] == [in_hand.id]
    await tick(queue, 3)
    await eventually(lambda: numbers(told)[-1] == 3)
    await events.commit()
    assert database.command("HGET", cursor_of(queue, "both"), "id") == told[-1].id


def places_in_memory() -> int:
    gc.collect()
    return sum(isinstance(thing, Place) for thing in gc.get_objects())


@pytest.mark.parametrize("reader", [None, "slow"])
async def test_a_listener_that_does_not_return_holds_the_place_and_nothing_else(
    queue: Queue,
    new_events: EventsFactory,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    reader: str | None,
) -> None:
    go_on, told = asyncio.Event(), list[str]()
    events = new_events(reader=reader)

    async def listen(event: Event) -> None:
        told.append(event.id)
        if len(told) == 2:
            await go_on.wait()

    events.on("tick", listen)
    await events.ready()
    before = places_in_memory()
    for _ in range(5):
        await asyncio.gather(*(queue.publish_event("tick") for _ in range(1000)))
    await eventually(lambda: len(told) == 5000)

    assert places_in_memory() - before < 1100
    stuck = [record for record in caplog.records if "place of a reader" in record.message]
    if reader:
        # It is said once.
        assert [vars(record)["event"] for record in stuck] == [told[1]]
        await events.commit()
        assert database.command("HGET", cursor_of(queue, reader), "id") == told[0]
    else:
        assert stuck == []
    go_on.set()
    await events.close()
    assert not reader or database.command("HGET", cursor_of(queue, reader), "id") == told[-1]


async def test_a_reader_that_is_forgotten_reads_on_and_writes_no_more(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    events = await new_events(reader="gone").ready()
    await tick(queue, 0)
    await read(events, 1)
    await events.forget()
    await tick(queue, 1, 2)

    assert numbers(await read(events, 2)) == [1, 2]
    await events.commit()
    await events.close()
    assert database.command("EXISTS", cursor_of(queue, "gone")) == 0

    await tick(queue, 3)
    await events.ready()
    await tick(queue, 4)
    assert numbers(await read(events, 1)) == [4]
    await events.commit()
    assert database.command("EXISTS", cursor_of(queue, "gone")) == 1


@pytest.mark.parametrize("loss", ["obliterate", "server", "cursor"])
async def test_a_place_that_is_lost_is_written_anew(
    queue: Queue, new_events: EventsFactory, database: Database, loss: str
) -> None:
    events = await new_events(reader="billing").ready()
    await tick(queue, 0)
    await read(events, 1)
    await events.commit()
    if loss == "obliterate":
        await queue.obliterate()
    elif loss == "server":
        database.empty()
    else:
        database.command("DEL", cursor_of(queue, "billing"))
    assert database.command("EXISTS", cursor_of(queue, "billing")) == 0
    await tick(queue, 1)

    expected = ["tick"] if loss == "cursor" else ["gap", "tick"]
    told = await read(events, len(expected))
    assert names(told) == expected
    await events.commit()
    assert database.command("HGET", cursor_of(queue, "billing"), "id") == told[-1].id

    # Who has begun since wins all the same.
    await new_events(reader="billing").ready()
    await tick(queue, 2)
    await read(events, 1)
    with pytest.raises(ReaderReplaced):
        await events.commit()
