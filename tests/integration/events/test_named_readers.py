"""Readers that go on where they stopped, whatever stopped them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.integration.events.reading import PATIENCE, cursor_of, names, numbers, read, read_until, tick
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory
from tests.support.program import Program
from toril import Event, Queue, QueueEvents, ReaderReplaced

JOBS = 10_000


async def test_a_reader_goes_on_where_it_stopped(queue: Queue, new_events: EventsFactory) -> None:
    events = await new_events(reader="billing").ready()
    await tick(queue, *range(5))
    assert numbers(await read(events, 3)) == [0, 1, 2]
    await events.commit()
    await events.close()
    await tick(queue, 5)

    events = await new_events(reader="billing").ready()
    assert numbers(await read(events, 3)) == [3, 4, 5]


async def test_what_a_loop_has_in_hand_is_told_again(queue: Queue, new_events: EventsFactory) -> None:
    events = await new_events(reader="billing").ready()
    await tick(queue, *range(5))
    await read(events, 3)
    await events.close()

    events = await new_events(reader="billing").ready()
    assert numbers(await read(events, 3)) == [2, 3, 4]


async def test_a_new_reader_begins_now(queue: Queue, new_events: EventsFactory) -> None:
    await tick(queue, 0)
    await (await new_events(reader="late").ready()).close()
    await tick(queue, 1)

    assert numbers(await read(new_events(reader="late"), 1)) == [1]


async def test_a_new_reader_begins_where_it_is_told(queue: Queue, new_events: EventsFactory) -> None:
    await tick(queue, 0, 1)
    events = new_events(reader="early", last_event_id="0")
    assert numbers(await read(events, 2)) == [0, 1]
    await events.commit()
    await events.close()
    await tick(queue, 2)

    # An old reader goes on where it was.
    assert numbers(await read(new_events(reader="early", last_event_id="0"), 1)) == [2]


async def test_readers_have_their_own_places(queue: Queue, new_events: EventsFactory) -> None:
    one, two = await new_events(reader="one").ready(), await new_events(reader="two").ready()
    await tick(queue, *range(4))
    await read(one, 3)
    await one.commit()
    await read(two, 1)
    await two.commit()
    await one.close()
    await two.close()

    assert numbers(await read(new_events(reader="one"), 1)) == [3]
    assert numbers(await read(new_events(reader="two"), 1)) == [1]


async def test_the_place_is_written_now_and_then(
    queue: Queue, new_events: EventsFactory, database: Database
) -> None:
    """Also when no further event comes, and without a word of the user's."""
    events = await new_events(reader="billing").ready()
    handled: list[Event] = []
    events.on("tick", handled.append)
    await tick(queue, *range(50))
    await eventually(lambda: len(handled) == 50)

    await eventually(lambda: database.command("HGET", cursor_of(queue, "billing"), "id") == handled[-1].id)
    stored = database.command("HGET", cursor_of(queue, "billing"), "count")
    assert int(stored) == database.command("XLEN", queue.ref.base + "events") == 50


async def test_an_event_counts_when_its_listeners_have_returned(
    queue: Queue, new_events: EventsFactory
) -> None:
    go_on, begun = asyncio.Event(), asyncio.Event()
    events = await new_events(reader="slow").ready()

    async def listen(event: Event) -> None:
        if event.fields["n"] == "1":
            begun.set()
            await go_on.wait()

    events.on("tick", listen)
    await tick(queue, 0, 1, 2)
    await begun.wait()
    await events.commit()
    other = new_events(reader="slow")
    assert numbers(await read(other, 2)) == [1, 2]
    go_on.set()


async def test_the_newest_one_of_a_name_wins(
    queue: Queue, new_events: EventsFactory, caplog: pytest.LogCaptureFixture
) -> None:
    old, listening = await new_events(reader="billing").ready(), new_events(reader="billing")
    await tick(queue, 0, 1, 2)
    await read(old, 2)
    new = await new_events(reader="billing").ready()

    with pytest.raises(ReaderReplaced, match="'billing' of queue tasks"):
        await old.commit()
    assert numbers(await read(new, 2)) == [1, 2]
    await new.commit()

    errors: list[BaseException] = []
    listening.on("error", errors.append)
    listening.on("tick", print)
    await listening.ready()
    await new_events(reader="billing").ready()
    await tick(queue, 3)
    await eventually(lambda: len(errors) == 1)
    assert isinstance(errors[0], ReaderReplaced)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) >= 1


async def test_a_reader_can_be_forgotten(queue: Queue, new_events: EventsFactory, database: Database) -> None:
    events = await new_events(reader="gone").ready()
    assert await events.forget() is True
    assert await events.forget() is False
    assert database.command("EXISTS", cursor_of(queue, "gone")) == 0
    assert await new_events().forget() is False


class Log:
    """What one named reader was told, over all its lives."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.lives: list[list[str]] = []

    def begin(self) -> None:
        """A new life, which may begin further back."""
        self.lives.append([])

    def note(self, event: Event) -> None:
        """Note what was not told before."""
        self.lives[-1].append(event.id)
        if not self.ids or as_pair(self.ids[-1]) < as_pair(event.id):
            self.ids.append(event.id)


def as_pair(id: str) -> tuple[int, int]:
    ms, _, seq = id.partition("-")
    return int(ms), int(seq)


async def live(events: QueueEvents, log: Log, chance: random.Random) -> bool:
    """One life of a reader: whether it saw the end, and did not crash before."""
    log.begin()
    left = chance.randrange(500, 6000)
    async for event in events:
        log.note(event)
        left -= 1
        if event.name == "end" or not left:
            return event.name == "end"
        if chance.random() < 0.001:
            await asyncio.sleep(0.01)
    return False


async def follow(new: Callable[[], QueueEvents], log: Log) -> None:
    """Live until the end is seen; a reader that crashes has no time to write its place."""
    chance, events = random.Random(7), new()
    while not await live(events, log, chance):
        successor = await new().ready()
        await events.close()
        events = successor


async def test_nothing_is_missed_and_nothing_changes_places(
    url: str, prefix: str, new_events: EventsFactory, database: Database
) -> None:
    queue = Queue("tasks", url=url, prefix=prefix, max_events=10 * JOBS)
    await queue.ready()
    readers = ["billing", "audit", "search"]
    for reader in readers:
        await (await new_events(reader=reader).ready()).close()
    logs = {reader: Log() for reader in readers}

    async def add(part: int) -> None:
        for begin in range(0, JOBS // 4, 250):
            await queue.add_many([("any", (part, begin + number)) for number in range(250)])

    following = [
        asyncio.create_task(follow(partial(new_events, reader=reader), logs[reader])) for reader in readers
    ]
    await asyncio.gather(*(add(part) for part in range(4)))
    await queue.publish_event("end")
    async with asyncio.timeout(60):
        await asyncio.gather(*following)
    await queue.close()

    stored = [id for id, _ in database.command("XRANGE", queue.ref.base + "events", "-", "+")]
    assert len(stored) == 2 * JOBS + 1
    for log in logs.values():
        assert log.ids == stored
        assert len(log.lives) > 3
        for life in log.lives:
            # Nothing is left out, nothing comes twice or in another order.
            first = stored.index(life[0])
            assert life == stored[first : first + len(life)]


READER = """
import asyncio, os, sys
from toril import QueueEvents

async def main(url, prefix, place):
    file = os.open(place, os.O_WRONLY | os.O_CREAT)
    async for event in QueueEvents("tasks", url=url, prefix=prefix, reader="killed"):
        os.write(file, event.id.encode() + b" ")

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_reader_that_is_killed_goes_on(
    url: str, prefix: str, queue: Queue, new_events: EventsFactory, database: Database, tmp_path: Path
) -> None:
    await (await new_events(reader="killed").ready()).close()
    lives: list[list[str]] = []
    for number in range(3):
        file = tmp_path / str(number)
        file.touch()
        with Program(READER, url, prefix, file) as reader:
            adding = asyncio.create_task(add_slowly(queue))
            await eventually(lambda file=file: len(file.read_text()) > 10_000, PATIENCE)
            reader.kill()
            await adding
        # The last one may have been written in part.
        lives.append(file.read_text().rpartition(" ")[0].split())
    await queue.publish_event("end")
    lives.append([event.id for event in await read_until(new_events(reader="killed"), "end")])

    stored = [id for id, _ in database.command("XRANGE", queue.ref.base + "events", "-", "+")][:-1]
    assert {id for life in lives for id in life} == set(stored)
    for life in lives:
        first = stored.index(life[0])
        assert life == stored[first : first + len(life)]


async def add_slowly(queue: Queue) -> None:
    for _ in range(50):
        await queue.add_many([("any", number) for number in range(20)])
        await asyncio.sleep(0.001)


async def test_names_are_any_text(queue: Queue, new_events: EventsFactory) -> None:
    events = await new_events(reader="ä:b {c}\n").ready()
    await tick(queue, 1)
    assert names(await read(events, 1)) == ["tick"]
    await events.commit()
