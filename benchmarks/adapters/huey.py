"""Huey, with threads."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from benchmarks.peers.ledger import handle
from benchmarks.peers.shapes import BlockingProducer, Consumer

huey = importlib.import_module("huey")
consumer = importlib.import_module("huey.consumer")

PACKAGES = ("huey", "redis", "hiredis")
# Seconds between looks for a result, at first and at most.
_LOOK = 0.001


def make_huey(url: str, queue: str) -> tuple[Any, Any]:
    """A queue, and its task."""
    made = huey.RedisHuey(queue, url=url, results=True, store_none=True)

    def work(number: int, task: Any = None) -> int:
        return handle(task.id, number)

    return made, made.task(context=True, name="work")(work)


class Quiet(consumer.Consumer):
    """A consumer beside others things in a process: signals are not its own."""

    def _set_signal_handlers(self) -> None:
        pass


class Adding(BlockingProducer):
    def open(self) -> None:
        self._huey, self._task = make_huey(self.url, self.queue)
        self._huey.pending_count()

    def close(self) -> None:
        self._huey.storage.close()

    def waiting(self) -> int:
        return self._huey.pending_count()

    def add(self, number: int) -> tuple[str, Any]:
        result = self._task(number)
        return result.id, result

    def result(self, handle: Any) -> Any:
        return handle.get(blocking=True, backoff=1, max_delay=_LOOK, preserve=True)


class Working(Consumer):
    async def open(self) -> None:
        self._huey, _ = make_huey(self.url, self.queue)
        self._consumer = Quiet(self._huey, workers=self.slots, worker_type="thread", periodic=False)

    async def start(self) -> None:
        self._consumer.start()

    async def kept(self) -> int:
        return self._huey.result_count()

    async def close(self) -> None:
        await asyncio.to_thread(self._consumer.stop, True)
        self._huey.storage.close()


PRODUCER, CONSUMER = Adding, Working
