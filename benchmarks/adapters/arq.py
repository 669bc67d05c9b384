"""arq."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle_async
from benchmarks.peers.shapes import Consumer, Producer

arq = importlib.import_module("arq")
connections = importlib.import_module("arq.connections")

PACKAGES = ("arq", "redis", "hiredis", "uvloop")
# Seconds between polls of a worker, and of one who waits for a result; half a second by default. A poll
# starts no more jobs than there is room for at that moment.
_POLL = 0.001
_READ = 1000


async def work(context: dict[str, Any], number: int) -> int:
    return await handle_async(context["job_id"], number)


async def connect(url: str, queue: str) -> Any:
    settings = connections.RedisSettings.from_dsn(url)
    return await arq.create_pool(settings, default_queue_name=queue)


class Adding(Producer):
    async def open(self) -> None:
        self._pool = await connect(self.url, self.queue)

    async def close(self) -> None:
        await self._pool.aclose()

    async def waiting(self) -> int:
        return await self._pool.zcard(self.queue)

    async def add(self, number: int) -> tuple[str, Any]:
        job = await self._pool.enqueue_job("work", number)
        return job.job_id, job

    async def result(self, handle: Any) -> Any:
        return await handle.result(poll_delay=_POLL)


class Working(Consumer):
    async def open(self) -> None:
        self._keys = Keys(self.url)
        self._worker = arq.Worker(
            functions=[work],
            queue_name=self.queue,
            redis_pool=await connect(self.url, self.queue),
            max_jobs=self.slots,
            poll_delay=_POLL,
            queue_read_limit=_READ,
            handle_signals=False,
        )

    async def start(self) -> None:
        self._running = asyncio.create_task(self._worker.async_run())

    async def kept(self) -> int:
        return self._keys.matching("arq:result:*")

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._worker.close()
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
