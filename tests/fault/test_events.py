"""Readers of events go on after whatever happens to their connection, and miss nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory, QueueFactory
from tests.support.proxy import Proxy
from tests.support.server import OwnServer
from toril import Event, Queue, QueueEvents, StoreUnavailable

PATIENCE = 30.0


class Reading:
    """A loop over events that notes their numbers."""

    def __init__(self, events: QueueEvents) -> None:
        self.told: list[int] = []
        self.gaps: list[Event] = []
        self.errors: list[BaseException] = []
        self._events = events
        events.on("error", self.errors.append)
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for event in self._events:
            if event.is_gap:
                self.gaps.append(event)
            else:
                self.told.append(int(event.fields["n"]))

    async def has(self, count: int) -> None:
        """Wait for so many; they must be all, in order."""
        await eventually(lambda: len(self.told) >= count or self._task.done(), PATIENCE)
        assert self.told == list(range(count))
        assert self.gaps == []

    async def end(self) -> None:
        await self._events.close()
        await self._task


async def tick(queue: Queue, *numbers: int) -> None:
    for number in numbers:
        await queue.publish_event("tick", n=number)


@pytest.mark.parametrize("reader", [None, "named"])
async def test_cut_connections(
    proxy: Proxy, new_queue: QueueFactory, new_events: EventsFactory, reader: str | None
) -> None:
    queue = await new_queue().ready()
    reading = Reading(await new_events(url=proxy.url, reader=reader).ready())
    for number in range(6):
        await tick(queue, number)
        await reading.has(number + 1)
        proxy.cut()
    await tick(queue, 6)

    await reading.has(7)
    await reading.end()


async def test_connections_that_are_cut_while_events_pour_in(
    proxy: Proxy, new_queue: QueueFactory, new_events: EventsFactory
) -> None:
    queue = await new_queue().ready()
    reading = Reading(await new_events(url=proxy.url, reader="named").ready())

    async def cut() -> None:
        for count in range(200, 3000, 400):
            await eventually(lambda count=count: len(reading.told) >= count, PATIENCE)
            proxy.cut()

    cutting = asyncio.create_task(cut())
    for begin in range(0, 3000, 100):
        await asyncio.gather(*(tick(queue, number) for number in range(begin, begin + 100)))
    await cutting

    await reading.has(3000)
    await reading.end()


async def test_a_server_that_is_frozen(
    proxy: Proxy, new_queue: QueueFactory, new_events: EventsFactory
) -> None:
    """No connection is cut, and no answer comes: the deadline of the reader tells."""
    queue = await new_queue().ready()
    reading = Reading(await new_events(url=proxy.url, blocking_timeout=0.2).ready())
    await tick(queue, 0)
    await reading.has(1)
    proxy.freeze()
    await tick(queue, 1)
    await eventually(lambda: reading.errors, PATIENCE)
    assert isinstance(reading.errors[0], StoreUnavailable)
    proxy.thaw()

    await reading.has(2)
    assert len(reading.errors) == 1
    await reading.end()


async def test_a_server_that_is_away_is_told_once(
    proxy: Proxy, new_queue: QueueFactory, new_events: EventsFactory
) -> None:
    queue = await new_queue().ready()
    reading = Reading(await new_events(url=proxy.url).ready())
    await tick(queue, 0)
    await reading.has(1)
    proxy.refuse()
    proxy.cut()
    taken = proxy.taken
    await eventually(lambda: proxy.taken >= taken + 3, PATIENCE)
    assert len(reading.errors) == 1

    proxy.refuse(refusing=False)
    await tick(queue, 1)
    await reading.has(2)
    proxy.cut()
    await eventually(lambda: len(reading.errors) == 2)
    await reading.end()


async def test_a_server_that_is_killed_and_comes_back(
    server: OwnServer, new_queue: QueueFactory, new_events: EventsFactory
) -> None:
    queue = await new_queue(url=server.url).ready()
    reading = Reading(await new_events(url=server.url, reader="named").ready())
    await tick(queue, 0, 1)
    await reading.has(2)
    server.kill()
    await eventually(lambda: reading.errors)
    server.start()
    with Database(server.url) as database:
        for number in (2, 3):
            database.command("XADD", queue.ref.base + "events", "*", "event", "tick", "n", number)

    await reading.has(4)
    assert len(reading.errors) == 1
    await reading.end()


async def test_a_server_that_forgot_everything(
    server: OwnServer, new_queue: QueueFactory, new_events: EventsFactory
) -> None:
    queue = await new_queue(url=server.url).ready()
    reading = Reading(await new_events(url=server.url).ready())
    await tick(queue, 0)
    await reading.has(1)
    with Database(server.url) as database:
        database.empty()
    await tick(queue, 1)

    await eventually(lambda: len(reading.told) == 2)
    assert [gap.lost for gap in reading.gaps] == [None]
    await reading.end()


async def test_a_server_without_client_unblock(
    server: OwnServer, new_queue: QueueFactory, new_events: EventsFactory
) -> None:
    """Where a wait can't be ended, its connection is given up."""
    with Database(server.url) as database:
        database.command("ACL", "SETUSER", "default", "-client|unblock")
    old, new = await new_queue("old", url=server.url).ready(), await new_queue("new", url=server.url).ready()
    first = Reading(await new_events("old", url=server.url, blocking_timeout=60).ready())
    await tick(old, 0)
    await first.has(1)
    second = Reading(await new_events("new", url=server.url).ready())
    await tick(new, 0)
    await second.has(1)
    await tick(old, 1)

    await first.has(2)
    assert first.errors == second.errors == []
    await first.end()
    await second.end()


async def test_ready_on_a_server_that_is_away(new_events: EventsFactory) -> None:
    with pytest.raises(StoreUnavailable):
        await new_events(url="redis://127.0.0.1:1").ready()


async def test_results_arrive_after_a_cut(proxy: Proxy, new_queue: QueueFactory) -> None:
    queue = await new_queue(url=proxy.url).ready()
    worker_side = await new_queue().ready()
    job = await queue.add("any")
    waiting = asyncio.create_task(job.result(PATIENCE))
    await eventually(lambda: proxy.taken >= 2)
    proxy.cut()
    await worker_side.remove(job.id)

    done, _ = await asyncio.wait([waiting], timeout=PATIENCE)
    assert done
    assert type(waiting.exception()).__name__ == "JobRemoved"
