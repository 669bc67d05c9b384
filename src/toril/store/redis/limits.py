"""The store's limits of whole queues: how many jobs run at once, and how many start in a while."""

from __future__ import annotations

from collections.abc import Mapping

from toril.model.names import QueueRef
from toril.model.stored import read_whole
from toril.store.redis.codec import pack
from toril.store.redis.connection import Connection


class RedisLimits:
    """Limits on Redis or Valkey."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def set(self, queue: QueueRef, limits: Mapping[str, int | None]) -> None:
        """Set limits by their names, or forget those that are ``None``; jobs that may start now are."""
        pairs = [(name, False if value is None else value) for name, value in limits.items()]
        await self._connection.run("set_limits", queue, pack(pairs))

    async def get(self, queue: QueueRef, *names: str) -> list[int | None]:
        """Limits by their names; ``None`` for one that isn't set, or is no number."""
        values = await self._connection.command("HMGET", queue.base + "meta", *names)
        return [read_whole(value) for value in values]

    async def is_maxed(self, queue: QueueRef) -> bool:
        """Whether as many jobs are active as the queue allows."""
        return await self._connection.run("maxed", queue) == 1

    async def rate_left_ms(self, queue: QueueRef, most: int | None) -> int:
        """For how many ms no job starts.

        If neither ``most`` nor the queue says how many may: what is left of the window, -1 if it never ends,
        -2 if none has begun.
        """
        return await self._connection.run("rate_left", queue, "" if most is None else most)

    async def forget_rate(self, queue: QueueRef) -> None:
        """Forget how many jobs were started, and a manual limit."""
        await self._connection.command("DEL", queue.base + "limiter")

    async def wake(self, queue: QueueRef, *, always: bool = False) -> None:
        """Let other workers know of jobs that wait: ``always``, or if the queue limits how many run."""
        await self._connection.run("wake", queue, "1" if always else "0")
