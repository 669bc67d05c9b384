"""The store's queues: their meta, pausing, and what moves many jobs. What only reads is in `reading`."""

from __future__ import annotations

from collections.abc import Callable

from toril._version import __version__
from toril.model.names import QueueRef
from toril.store.redis.codec import fields_of, text
from toril.store.redis.connection import Connection
from toril.store.redis.reading import QueueReading

# A manual rate limit is a counter that no limit reaches. Source: BullMQ 6.7.
_MANUAL_LIMIT = 9007199254740991
# Jobs that one call moves, whatever the caller says.
_MOVED_A_CALL = 250
_NO_LIMIT = "1.7976931348623157e+308"


class RedisQueues(QueueReading):
    """Queues on Redis or Valkey."""

    def __init__(self, connection: Connection, now_ms: Callable[[], int]) -> None:
        super().__init__(connection)
        self._now_ms = now_ms

    async def announce(self, queue: QueueRef, max_events: int) -> str | None:
        """Write the meta that dashboards find queues by; answers the version that it told before."""
        before = await self._connection.run("announce", queue, max_events, f"toril:{__version__}")
        return text(before) if before is not None else None

    async def meta(self, queue: QueueRef) -> dict[str, str]:
        """All fields of the queue's meta."""
        fields = fields_of(await self._connection.command("HGETALL", queue.base + "meta"))
        return {text(key): text(value) for key, value in fields.items()}

    async def pause(self, queue: QueueRef) -> tuple[str, bool]:
        """Nothing is taken from the queue until it is resumed.

        Returns:
            The version that the queue's meta tells, and whether there is a list of jobs such as version 5 of
            BullMQ keeps while a queue is paused.
        """
        version, parked = await self._connection.run("pause", queue)
        return text(version), parked == 1

    async def resume(self, queue: QueueRef) -> None:
        """Let jobs be taken again."""
        quiet = "0"
        while await self._connection.run("resume", queue, quiet):
            quiet = "1"

    async def is_paused(self, queue: QueueRef) -> bool:
        """Whether the queue is paused."""
        return await self._connection.command("HEXISTS", queue.base + "meta", "paused") == 1

    async def retry_jobs(self, queue: QueueRef, state: str, count: int, before_ms: int | None) -> int:
        """Move finished or delayed jobs to wait, at most ``count`` in a call, until none is left."""
        if before_ms is None and state != "delayed":
            before_ms = self._now_ms()
        step = min(count, _MOVED_A_CALL)
        before = _NO_LIMIT if before_ms is None else before_ms
        total = 0
        while True:
            moved = await self._connection.run("retry_jobs", queue, state, step, before)
            total += moved
            if moved < step:
                return total

    async def rate_limit(self, queue: QueueRef, duration_ms: int) -> None:
        """Start no job of the queue for so long."""
        await self._connection.command("SET", queue.base + "limiter", _MANUAL_LIMIT, "PX", duration_ms)
