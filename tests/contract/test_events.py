"""What a store promises about events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contract.teller import Teller
from tests.support.database import Database
from toril.model.names import QueueRef
from toril.model.stream import BEGINNING, Place, StreamId
from toril.store.contract import EventFeed


@pytest.fixture
async def feed(teller: Teller) -> AsyncIterator[EventFeed]:
    feed = teller.store.events.feed(teller.queue)
    yield feed
    await feed.close()


async def test_a_stream_ends_where_nothing_was_told_yet(teller: Teller, feed: EventFeed) -> None:
    assert await teller.store.events.end(teller.queue) == Place(BEGINNING, 0)

    look = await feed.look(teller.queue, BEGINNING, 10)
    assert (look.first, look.last, look.length, look.added, look.more) == (None, BEGINNING, 0, 0, False)


async def test_what_is_told_after_the_end_is_behind_it(teller: Teller, feed: EventFeed) -> None:
    await teller.add()
    end = await teller.store.events.end(teller.queue)
    await teller.add(job_id="mine")

    look = await feed.look(teller.queue, end.id, 10)

    assert [raw[b"event"] for _, raw in look.entries] == [b"added", b"waiting"]
    assert (look.length, look.added, look.more, end.count) == (4, 4, False, 2)
    assert look.last == StreamId.parse(look.entries[-1][0])
    assert (await feed.look(teller.queue, BEGINNING, 2)).more is True


async def look_through(feed: EventFeed, queue: QueueRef) -> list[list[int]]:
    """The numbers of all events, as looks at most 500 at a time found them."""
    looks: list[list[int]] = []
    after = BEGINNING
    while True:
        look = await feed.look(queue, after, 500)
        looks.append([int(raw[b"n"]) for _, raw in look.entries])
        if not look.more:
            return looks
        after = StreamId.parse(look.entries[-1][0])


async def test_a_look_brings_few_big_events(teller: Teller, feed: EventFeed) -> None:
    """The server is busy as long as it takes to copy them."""
    sizes = [1] * 50 + [300_000] * 40 + [1] * 50
    for number, size in enumerate(sizes):
        await teller.store.events.publish(teller.queue, ["tick", "n", str(number), "x", "x" * size], 1000)

    looks = await look_through(feed, teller.queue)

    assert [number for look in looks for number in look] == list(range(140))
    assert max(sum(sizes[number] for number in look) for look in looks) < 3_000_000
    assert [len(look) for look in looks if 60 in look] == [1]


async def test_a_look_brings_many_small_events(teller: Teller, feed: EventFeed) -> None:
    for number in range(1020):
        await teller.store.events.publish(teller.queue, ["tick", "n", str(number)], 2000)

    looks = await look_through(feed, teller.queue)

    assert [number for look in looks for number in look] == list(range(1020))
    assert [len(look) for look in looks] == [500, 500, 20]


async def test_a_wait_ends_with_an_event(teller: Teller, feed: EventFeed) -> None:
    other = QueueRef(teller.queue.prefix, "other")
    waiting = asyncio.create_task(
        feed.wait({teller.queue: BEGINNING, other: BEGINNING}, 10, asyncio.Event(), 5)
    )
    await teller.add()

    news = await asyncio.wait_for(waiting, 3)
    assert [raw[b"event"] for _, raw in news[teller.queue]] == [b"added", b"waiting"]
    assert news.keys() == {teller.queue}


async def test_a_wait_ends_in_time_or_when_it_is_stopped(teller: Teller, feed: EventFeed) -> None:
    places, stop = {teller.queue: BEGINNING}, asyncio.Event()
    assert await feed.wait(places, 0, stop, 1) == {}
    assert await feed.wait(places, 0.01, stop, 1) == {}
    waiting = asyncio.create_task(feed.wait(places, 10, stop, 1))
    await asyncio.sleep(0)
    stop.set()

    assert await asyncio.wait_for(waiting, 3) == {}


async def test_the_place_of_a_reader(teller: Teller, database: Database) -> None:
    store, queue = teller.store.events, teller.queue
    await teller.add()
    end = await store.end(queue)

    assert await store.claim(queue, "new", "a", None) == end
    assert await store.claim(queue, "old", "a", Place(BEGINNING)) == Place(BEGINNING)
    place = Place(StreamId(5, 1), 7)
    assert await store.move(queue, "old", "a", place) is True
    assert await store.claim(queue, "old", "b", None) == place
    assert await store.move(queue, "old", "a", end) is False
    assert await store.move(queue, "old", "b", Place(StreamId(6, 0))) is True
    assert await store.claim(queue, "old", "b", None) == Place(StreamId(6, 0))
    assert await store.forget(queue, "old") is True
    assert await store.forget(queue, "old") is False
    assert database.command("EXISTS", f"{queue.base}toril:reader:old") == 0


async def test_the_place_of_a_reader_that_was_lost_is_made_again(teller: Teller) -> None:
    store, queue, place = teller.store.events, teller.queue, Place(StreamId(5, 1), 7)
    await store.claim(queue, "old", "a", None)
    await store.forget(queue, "old")

    assert await store.move(queue, "old", "a", place) is True
    assert await store.move(queue, "old", "b", Place(BEGINNING)) is False
    assert await store.claim(queue, "old", "b", None) == place


async def test_publishing_trims_as_told(teller: Teller, database: Database) -> None:
    store, queue = teller.store.events, teller.queue
    database.command("HSET", queue.base + "meta", "opts.maxLenEvents", 1000)
    for number in range(400):
        await store.publish(queue, ["tick", "n", str(number)], None)
    assert database.command("XLEN", queue.base + "events") == 400

    id = await store.publish(queue, ["tock"], 100)

    assert database.command("XLEN", queue.base + "events") < 300
    assert database.events(queue.base)[-1] == {"event": "tock"}
    assert str((await store.end(queue)).id) == id
