"""SAQ."""

from __future__ import annotations

import asyncio
import importlib
from contextlib import suppress
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle_async
from benchmarks.peers.shapes import Consumer, Producer

saq = importlib.import_module("saq")
queues = importlib.import_module("saq.queue.redis")
redis = importlib.import_module("redis.asyncio")

PACKAGES = ("saq", "redis", "hiredis", "uvloop")
# Operations at once that a producer's queue allows; 20 by default, and a hundred callers are measured.
_OPERATIONS = 100
# Seconds to listen for a result at a time.
_LISTEN = 0.05


async def work(context: dict[str, Any], *, number: int) -> int:
    return await handle_async(context["job"].key, number)


def open_queue(url: str, queue: str, operations: int) -> Any:
    # Its own from_url knows no sockets.
    return queues.RedisQueue(redis.Redis.from_url(url), name=queue, max_concurrent_ops=operations)


class Adding(Producer):
    async def open(self) -> None:
        self._queue = open_queue(self.url, self.queue, _OPERATIONS)
        await self._queue.connect()

    async def close(self) -> None:
        await self._queue.disconnect()

    async def waiting(self) -> int:
        return await self._queue.count("queued")

    async def add(self, number: int) -> tuple[str, Any]:
        job = await self._queue.enqueue("work", number=number)
        return job.key, job

    async def result(self, handle: Any) -> Any:
        """It looks, then listens; what happens between is missed, and has to be looked for again."""
        while not handle.completed:
            with suppress(TimeoutError):
                await handle.refresh(until_complete=_LISTEN)
        return handle.result


class Working(Consumer):
    async def open(self) -> None:
        self._keys = Keys(self.url)
        self._queue = open_queue(self.url, self.queue, max(self.slots, 20))
        await self._queue.connect()
        self._worker = saq.Worker(self._queue, functions=[work], concurrency=self.slots)
        self._worker.SIGNALS = []

    async def start(self) -> None:
        self._running = asyncio.create_task(self._worker.start())

    async def kept(self) -> int:
        """A job is a key, from the beginning on; those that are not done are listed."""
        jobs = self._keys.matching(f"saq:job:{self.queue}:*")
        return jobs - self._keys.length(f"saq:{self.queue}:incomplete")

    async def close(self) -> None:
        await self._worker.stop()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._queue.disconnect()
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
