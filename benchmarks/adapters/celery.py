"""Celery on Redis: threads, or the solo pool for one job at a time."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle
from benchmarks.peers.shapes import BlockingProducer, Consumer

celery = importlib.import_module("celery")
workers = importlib.import_module("celery.worker")
states: Any = importlib.import_module("celery.worker.state")

PACKAGES = ("celery", "kombu", "redis", "hiredis")
_NAME = "benchmarks.adapters.celery.work"


def place(url: str) -> str:
    """A URL as Celery has it: that of a socket has another scheme and names the database otherwise."""
    return url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")


def make_app(url: str, queue: str, slots: int, ahead: int = 4) -> tuple[Any, Any]:
    """An app, and its task; a worker takes so many ahead for each of its slots."""
    app = celery.Celery("benchmark", broker=place(url), backend=place(url))
    # Threads of the worker's pool know only the default.
    app.set_default()
    app.conf.update(
        task_default_queue=queue,
        worker_prefetch_multiplier=ahead,
        worker_concurrency=slots,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_pool_limit=100,
    )

    def work(task: Any, number: int) -> int:
        return handle(task.request.id, number)

    return app, app.task(bind=True, name=_NAME, shared=False)(work)


class Adding(BlockingProducer):
    def open(self) -> None:
        self._app, self._task = make_app(self.url, self.queue, 1)
        self._keys = Keys(self.url)

    def close(self) -> None:
        self._app.close()
        self._keys.close()

    def waiting(self) -> int:
        return self._keys.length(self.queue)

    def add(self, number: int) -> tuple[str, Any]:
        result = self._task.delay(number)
        return result.id, result

    def result(self, handle: Any) -> Any:
        return handle.get()


class Working(Consumer):
    async def open(self) -> None:
        self._keys = Keys(self.url)
        self._app, _ = make_app(self.url, self.queue, self.slots, 1 if self.long else 4)
        self._app.finalize()
        states.should_stop = states.should_terminate = None
        self._worker = workers.WorkController(
            app=self._app,
            pool_cls="solo" if self.slots == 1 else "threads",
            concurrency=self.slots,
            without_mingle=True,
            without_gossip=True,
            without_heartbeat=True,
            send_events=False,
        )

    async def start(self) -> None:
        self._running = asyncio.create_task(asyncio.to_thread(self._worker.start))

    async def kept(self) -> int:
        return self._keys.matching("celery-task-meta-*")

    async def close(self) -> None:
        states.should_stop = 0
        await asyncio.wait([self._running], timeout=5)
        states.should_stop = None
        self._app.close()
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
