"""The store's events: publishing, where streams end, and the cursors of named readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot

from toril.model.names import QueueRef
from toril.model.stream import Place, StreamId
from toril.store.redis.codec import pack
from toril.store.redis.connection import Connection
from toril.store.redis.feed import RedisEventFeed


class RedisEvents:
    """Events on Redis or Valkey."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def end(self, queue: QueueRef) -> Place:
        """The end of the queue's events, as a concrete place."""
        return _place(await self._connection.run("stream_end", queue))

    async def claim(self, queue: QueueRef, reader: str, owner: str, start: Place | None) -> Place:
        """Become the owner of a named reader, and find where it stands."""
        begin = "" if start is None else str(start.id)
        return _place(await self._connection.run("claim_reader", queue, reader, owner, begin))

    async def move(self, queue: QueueRef, reader: str, owner: str, place: Place) -> bool:
        """Move the cursor of a named reader, or make it again; ``False`` if somebody else has claimed it."""
        count = "" if place.count is None else place.count
        words = (reader, owner, str(place.id), count)
        return await self._connection.run("move_reader", queue, *words) == 1

    async def forget(self, queue: QueueRef, reader: str) -> bool:
        """Remove the cursor of a named reader; ``False`` if there was none."""
        return await self._connection.command("DEL", f"{queue.base}toril:reader:{reader}") == 1

    async def publish(self, queue: QueueRef, words: Sequence[str], most: int | None) -> str:
        """Append an event: its name, then names and values of its fields. Answers its id."""
        cap = "" if most is None else most
        return (await self._connection.run("publish", queue, pack(words), cap)).decode()

    def lane(self, queue: QueueRef) -> int:
        """In a cluster only the streams of one slot can be read together."""
        return key_slot(queue.base.encode()) if self._connection.address.kind == "cluster" else 0

    def feed(self, queue: QueueRef) -> RedisEventFeed:
        """A connection that reads events."""
        return RedisEventFeed(self._connection, queue)


def _place(reply: Sequence[Any]) -> Place:
    id, count = reply
    return Place(StreamId.parse(id), None if count in (b"", None) else int(count))
