"""streaq."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle_async
from benchmarks.peers.shapes import Consumer, Producer

streaq = importlib.import_module("streaq")

PACKAGES = ("streaq", "coredis", "uvloop")
_RESULTS = "streaq:{}:task:results:*"


def make_worker(url: str, queue: str, slots: int) -> tuple[Any, Any]:
    """A worker, which is a producer, too; and its task."""
    worker = streaq.Worker(url, queue_name=queue, concurrency=slots, handle_signals=False)

    async def work(number: int) -> int:
        return await handle_async(task.context.task_id, number)

    task = worker.task(name="work")(work)
    return worker, task


class Adding(Producer):
    bulk = True

    async def open(self) -> None:
        self._worker, self._task = make_worker(self.url, self.queue, 1)
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self._worker)

    async def close(self) -> None:
        await self._stack.aclose()

    async def waiting(self) -> int:
        return await self._worker.queue_size()

    async def add(self, number: int) -> tuple[str, Any]:
        task = await self._task.enqueue(number)
        return task.id, task

    async def add_many(self, numbers: Sequence[int]) -> list[str]:
        tasks = [self._task.enqueue(number) for number in numbers]
        await self._worker.enqueue_many(tasks)
        return [task.id for task in tasks]

    async def result(self, handle: Any) -> Any:
        return await handle.result()


class Working(Consumer):
    async def open(self) -> None:
        self._keys = Keys(self.url)
        self._worker, _ = make_worker(self.url, self.queue, self.slots)

    async def start(self) -> None:
        self._running = asyncio.create_task(self._worker.run_async())

    async def kept(self) -> int:
        return self._keys.matching(_RESULTS.format(self.queue))

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
