"""A connection that reads the events of many queues."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from toril.errors import StoreError
from toril.model.names import QueueRef
from toril.model.stream import Entry, Look, StreamId
from toril.store.redis.codec import fields_of
from toril.store.redis.connection import Connection
from toril.store.redis.waiting import Ear, client_name
from toril.store.redis.wire import Word

# Seconds for a reading that does not wait.
_SOON = 4.0
# Bytes of events after which a reading ends: about 1 ms of the server's time.
_BYTES = 256 * 1024
# How often, and how many seconds apart, a wait is asked to end, until its connection is given up instead.
_CALLS, _BETWEEN = 20, 0.005


class RedisEventFeed:
    """Reads events on a connection of its own.

    Args:
        calls: The connection for everything else, on which a wait is told to end.
        queue: The queue it is called after, so that Node's ``getQueueEvents()`` finds it. Source: BullMQ 6.7.
    """

    def __init__(self, calls: Connection, queue: QueueRef) -> None:
        self._calls = calls
        self._ear = Ear(calls.address, client_name(queue, ":qe"))
        # The server's number for our connection, and which of our connections that was.
        self._client = (0, 0)

    async def look(self, queue: QueueRef, after: StreamId, count: int) -> Look:
        """The stream, and its first entries behind an id, at one moment."""
        reply = await self._ear.run(_SOON, "read_events", queue, str(after), count, _BYTES)
        facts, entries, more = reply
        last, added, length, first = facts
        return Look(
            first=StreamId.parse(first) if first else None,
            last=StreamId.parse(last),
            length=length,
            added=None if added == b"" else added,
            entries=_entries(entries),
            more=more == 1,
        )

    async def wait(
        self, places: Mapping[QueueRef, StreamId], timeout: float, stop: asyncio.Event, count: int
    ) -> dict[QueueRef, list[Entry]]:
        """Wait for entries behind these ids; answers at most ``count`` of each queue that has any."""
        queues = {f"{queue.base}events".encode(): queue for queue in places}
        ids = [str(id) for id in places.values()]
        block: tuple[Word, ...] = ("BLOCK", max(round(timeout * 1000), 1)) if timeout else ()
        reply = await self._stoppable(
            timeout, stop, "XREAD", "COUNT", count, *block, "STREAMS", *queues, *ids
        )
        return {queues[key]: _entries(entries) for key, entries in reply or ()}

    async def _stoppable(self, timeout: float, stop: asyncio.Event, *words: Word) -> Any:
        if not timeout:
            return await self._ear.ask(_SOON, *words)
        if not self._in_cluster and self._client[1] != self._ear.connects:
            number = await self._ear.ask(_SOON, "CLIENT", "ID")
            self._client = (number, self._ear.connects)
        asking = asyncio.create_task(self._ear.ask(timeout, *words))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((asking, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                await self._end(asking)
        finally:
            asking.cancel()
            stopping.cancel()
            await asyncio.wait((asking, stopping))
        return None if asking.cancelled() else asking.result()

    @property
    def _in_cluster(self) -> bool:
        return self._calls.address.kind == "cluster"

    async def _end(self, asking: asyncio.Task[Any]) -> None:
        """End a wait on the server, which keeps the connection; the caller gives it up if that fails."""
        if self._in_cluster:
            # Which of the client's connections waits, and at which node, is not known here.
            return
        for _ in range(_CALLS):
            try:
                if await self._calls.command("CLIENT", "UNBLOCK", self._client[0]):
                    await asyncio.wait([asking], timeout=_SOON)
                    return
            except StoreError:
                return
            # The wait may not have reached the server yet.
            await asyncio.wait([asking], timeout=_BETWEEN)
            if asking.done():
                return

    async def close(self) -> None:
        """Close the connection, a wait under way included."""
        await self._ear.close()


def _entries(reply: Iterable[Any]) -> list[Entry]:
    return [(id, fields_of(flat)) for id, flat in reply]
