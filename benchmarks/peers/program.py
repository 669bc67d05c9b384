"""An adapter for a system in Python, as a program: `python -m benchmarks.peers.program celery`.

The adapter is a module, not the program itself, so that its tasks have a name that workers can import.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import logging
import os
import platform
import sys
from types import ModuleType

from benchmarks.child import Burning, CannotError, Task, serve
from benchmarks.orders import Order
from benchmarks.peers.shapes import BlockingProducer
from benchmarks.peers.tasks import ONLY_PAIR, Adding, BlockingAdding, Working


class Adapter:
    """A system's module: ``PACKAGES`` to tell versions of, ``PRODUCER`` and ``CONSUMER``."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self.packages: tuple[str, ...] = module.PACKAGES

    def versions(self) -> dict[str, str]:
        versions = {name: importlib.metadata.version(name) for name in self.packages}
        return {**versions, "python": platform.python_version()}

    async def prepare(self, order: Order) -> Task:
        if order.verb == "burn":
            return Burning(order.count)
        if order.warmup:
            warm = self._task(order, order.warm_queue, order.warmup)
            await warm.ready()
            await warm.go()
            await warm.result()
        task = self._task(order, order.queue, order.count)
        await task.ready()
        return task

    def _task(self, order: Order, queue: str, count: int) -> Adding | BlockingAdding | Working:
        if order.verb == "work":
            long = order.job == "cpu"
            consumer = self._module.CONSUMER(order.url, queue, order.concurrency, long=long)
            return Working(order, consumer, count)
        if order.verb != "add" or order.priorities or order.payload:
            raise CannotError(ONLY_PAIR)
        producer = self._module.PRODUCER(order.url, queue)
        if isinstance(producer, BlockingProducer):
            return BlockingAdding(order, producer, count)
        return Adding(order, producer, count)


def main(name: str) -> None:
    logging.basicConfig(level=logging.ERROR)
    adapter = Adapter(importlib.import_module(f"benchmarks.adapters.{name}"))
    run = importlib.import_module("uvloop").run if "uvloop" in adapter.packages else asyncio.run
    run(_serve(adapter))


async def _serve(adapter: Adapter) -> None:
    await serve(adapter.prepare, adapter.versions)
    # Some workers have threads that would wait for jobs for minutes.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
