"""taskiq with taskiq-redis: streams, which acknowledge, and results."""

from __future__ import annotations

import asyncio
import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle_async
from benchmarks.peers.shapes import Consumer, Producer

taskiq = importlib.import_module("taskiq")
taskiq_redis = importlib.import_module("taskiq_redis")
receiver = importlib.import_module("taskiq.receiver")

PACKAGES = ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop")
_PREFIX = "taskiq-result"
# Seconds between looks for a result; 0.2 by default.
_LOOK = 0.001

# Seconds that a receiver is given to end.
_GOODBYE = 1.0


async def work(number: int, context: Any) -> int:
    return await handle_async(context.message.task_id, number)


work.__annotations__["context"] = taskiq.Context


def make_broker(url: str, queue: str, read: int = 100) -> tuple[Any, Any]:
    """A broker, and its task; a worker reads so many messages a call."""
    results = taskiq_redis.RedisAsyncResultBackend(url, prefix_str=_PREFIX)
    broker = taskiq_redis.RedisStreamBroker(url, queue_name=queue, consumer_id="0", xread_count=read)
    broker = broker.with_result_backend(results)
    work.__defaults__ = (taskiq.TaskiqDepends(),)
    return broker, broker.register_task(work, task_name="work")


class Adding(Producer):
    async def open(self) -> None:
        self._broker, self._task = make_broker(self.url, self.queue)
        self._keys = Keys(self.url)
        await self._broker.startup()

    async def close(self) -> None:
        await self._broker.shutdown()
        self._keys.close()

    async def waiting(self) -> int:
        return self._keys.length(self.queue)

    async def add(self, number: int) -> tuple[str, Any]:
        handle = await self._task.kiq(number)
        return handle.task_id, handle

    async def result(self, handle: Any) -> Any:
        return await handle.wait_result(check_interval=_LOOK)


class Working(Consumer):
    async def open(self) -> None:
        self._keys = Keys(self.url)
        self._broker, _ = make_broker(self.url, self.queue, 1 if self.long else 100)
        self._broker.is_worker_process = True
        await self._broker.startup()

    async def start(self) -> None:
        self._finish = asyncio.Event()
        self._threads = ThreadPoolExecutor(1)
        made = receiver.Receiver(self._broker, self._threads, max_async_tasks=self.slots)
        self._running = asyncio.create_task(made.listen(self._finish))

    async def kept(self) -> int:
        return self._keys.matching(f"{_PREFIX}:*")

    async def close(self) -> None:
        self._finish.set()
        # With several jobs at once it may wait for ever for its last read.
        await asyncio.wait([self._running], timeout=_GOODBYE)
        self._running.cancel()
        self._threads.shutdown(wait=False)
        await self._broker.shutdown()
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
