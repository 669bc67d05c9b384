"""The store's job schedulers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from toril.errors import ScriptError
from toril.model.names import QueueRef
from toril.store.redis.coalesce import Coalescer
from toril.store.redis.codec import accept, fields_of, pack
from toril.store.redis.connection import Connection
from toril.store.values import LostIteration, Producer, StoredScheduler

# Members that version 5 of BullMQ left for its repeatable jobs have so many colons.
_LEGACY_COLONS = 4
# Overdue schedulers in one call, and at most in all; those that have come to their end are always overdue.
_A_LOOK, _MOST_LOOKED_AT = 20, 5_000


class RedisSchedulers:
    """Job schedulers on Redis or Valkey."""

    def __init__(self, connection: Connection, now_ms: Callable[[], int]) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._advancers: dict[QueueRef, Coalescer[Producer, str | None]] = {}

    async def upsert(self, queue: QueueRef, id: str, terms: Mapping[str, Any]) -> str | None:
        """Make or change a scheduler; answers the id of its next job, ``None`` if there is none any more."""
        reply: Any = await self._connection.run("upsert_scheduler", queue, id, pack(terms), self._now_ms())
        if isinstance(reply, int):
            accept(reply, "schedule", queue, id)
            return None
        return reply[0].decode()

    async def get(self, queue: QueueRef, id: str) -> StoredScheduler | None:
        """A scheduler, or ``None``."""
        due = await self._connection.command("ZSCORE", queue.base + "repeat", id)
        fields = fields_of(await self._connection.command("HGETALL", f"{queue.base}repeat:{id}"))
        return StoredScheduler(id, _due_ms(due), fields) if due is not None and fields else None

    async def page(self, queue: QueueRef, first: int, last: int, *, ascending: bool) -> list[StoredScheduler]:
        """A page of schedulers. One that lost its definition can't run any more, and is removed."""
        order = "1" if ascending else "0"
        found: list[StoredScheduler] = []
        for id, due, flat in await self._connection.run("schedulers", queue, first, last, order):
            if flat:
                found.append(StoredScheduler(id.decode(), _due_ms(due), fields_of(flat)))
            elif id.count(b":") < _LEGACY_COLONS:
                await self.remove(queue, id.decode())
        return found

    async def count(self, queue: QueueRef) -> int:
        """How many schedulers there are."""
        return await self._connection.command("ZCARD", queue.base + "repeat")

    async def remove(self, queue: QueueRef, id: str) -> bool:
        """Remove a scheduler; whether there was one."""
        return await self._connection.run("remove_scheduler", queue, id) == 1

    async def advance(self, queue: QueueRef, producer: Producer) -> str | None:
        """Add the job that comes after one that was taken; those of the same moment share a call."""
        advancer = self._advancers.get(queue)
        if advancer is None:
            advancer = self._advancers[queue] = self._new_advancer(queue)
        return await advancer.ask(producer)

    def _new_advancer(self, queue: QueueRef) -> Coalescer[Producer, str | None]:
        async def send(producers: Sequence[Producer]) -> list[str | Exception | None]:
            ids = await self._connection.run("advance", queue, pack(producers), self._now_ms())
            return [_answer(id) for id in ids]

        return Coalescer(send, lambda producer: len(producer.head))

    async def drain(self) -> None:
        """Wait until what is under way is answered."""
        for advancer in self._advancers.values():
            await advancer.drain()

    async def lost(self, queue: QueueRef, interval_ms: int, grace_ms: int) -> list[LostIteration]:
        """Schedulers overdue for ``grace_ms`` without a job; a look each ``interval_ms`` by all workers."""
        now_ms = self._now_ms()
        lost: list[LostIteration] = []
        for first in range(0, _MOST_LOOKED_AT, _A_LOOK):
            args = (interval_ms, now_ms - grace_ms, first, _A_LOOK, now_ms)
            looked_at, dead = await self._connection.run("dead_schedulers", queue, *args)
            lost.extend(
                LostIteration(StoredScheduler(id.decode(), _due_ms(due), fields_of(flat)), fields_of(job))
                for id, due, flat, job in dead
                if flat
            )
            if looked_at < _A_LOOK:
                break
        return lost

    async def put_back(self, queue: QueueRef, lost: StoredScheduler, made: Mapping[str, Any]) -> bool:
        """Add the job of a scheduler again that was lost; whether it was needed."""
        args = (lost.id, lost.due_ms, pack(made), self._now_ms())
        return await self._connection.run("put_back_iteration", queue, *args) == 1


def _answer(reply: Any) -> str | Exception | None:
    if isinstance(reply, list):
        return ScriptError(f"advance: {cast('list[bytes]', reply)[0].decode()}")
    return None if reply is None else reply.decode()


def _due_ms(score: bytes) -> int:
    return int(float(score))
