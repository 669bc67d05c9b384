"""BullMQ's official Python port."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle_async
from benchmarks.peers.shapes import Consumer, Producer

bullmq = importlib.import_module("bullmq")

PACKAGES = ("bullmq", "redis", "hiredis", "uvloop")


class Adding(Producer):
    bulk = True

    async def open(self) -> None:
        self._queue = bullmq.Queue(self.queue, {"connection": self.url})
        self._events: Any = None
        self._results: dict[str, asyncio.Future[Any]] = {}
        await self._queue.getWaitingCount()

    async def close(self) -> None:
        if self._events is not None:
            await self._events.close()
        await self._queue.close()

    async def waiting(self) -> int:
        return await self._queue.getWaitingCount()

    async def add(self, number: int) -> tuple[str, Any]:
        job = await self._queue.add("noop", {"n": number})
        return job.id, job.id

    async def add_many(self, numbers: Sequence[int]) -> list[str]:
        jobs = [{"name": "noop", "data": {"n": number}} for number in numbers]
        return [job.id for job in await self._queue.addBulk(jobs)]

    async def result(self, handle: Any) -> Any:
        """It has no call for this: its events tell."""
        if self._events is None:
            self._events = bullmq.QueueEvents(self.queue, {"connection": self.url, "lastEventId": "0"})
            self._events.on("completed", self._completed)
        return await self._future(handle)

    def _completed(self, event: Any, *_more: Any) -> None:
        future = self._future(event["jobId"])
        if not future.done():
            future.set_result(event.get("returnvalue"))

    def _future(self, id: str) -> asyncio.Future[Any]:
        return self._results.setdefault(id, asyncio.get_running_loop().create_future())


class Working(Consumer):
    async def open(self) -> None:
        self._keys = Keys(self.url)
        options = {"connection": self.url, "concurrency": self.slots, "autorun": False}
        self._worker = bullmq.Worker(self.queue, self._run, options)

    async def _run(self, job: Any, _token: str) -> int:
        return await handle_async(job.id, job.data["n"])

    async def start(self) -> None:
        self._running = asyncio.create_task(self._worker.run())

    async def kept(self) -> int:
        return self._keys.length(f"bull:{self.queue}:completed")

    async def close(self) -> None:
        await self._worker.close()
        await self._running
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
