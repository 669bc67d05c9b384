"""RQ, with the worker that does not fork for each job."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle
from benchmarks.peers.shapes import BlockingProducer, Consumer

rq = importlib.import_module("rq")
redis = importlib.import_module("redis")

PACKAGES = ("rq", "redis", "hiredis")
# Seconds until one who waits for a result gives up.
_PATIENCE = 10


def work(number: int) -> int:
    return handle(rq.get_current_job().id, number)


class NoLimit(importlib.import_module("rq.timeouts").BaseDeathPenalty):
    """No limit of time: a signal would do that at no cost, but a thread can't have it, nor a thread a job."""

    def setup_death_penalty(self) -> None: ...

    def cancel_death_penalty(self) -> None: ...


class InThread(rq.SimpleWorker):
    """A worker beside other things in a process: signals are not its own."""

    death_penalty_class = NoLimit

    def _install_signal_handlers(self) -> None:
        pass


class Adding(BlockingProducer):
    bulk = True

    def open(self) -> None:
        self._client = redis.Redis.from_url(self.url)
        self._queue = rq.Queue(self.queue, connection=self._client)

    def close(self) -> None:
        self._client.close()

    def waiting(self) -> int:
        return self._queue.count

    def add(self, number: int) -> tuple[str, Any]:
        job = self._queue.enqueue(work, number)
        return job.id, job

    def add_many(self, numbers: Sequence[int]) -> list[str]:
        prepared = [rq.Queue.prepare_data(work, (number,)) for number in numbers]
        return [job.id for job in self._queue.enqueue_many(prepared)]

    def result(self, handle: Any) -> Any:
        return handle.latest_result(timeout=_PATIENCE)


class Working(Consumer):
    most_slots = 1

    async def open(self) -> None:
        self._keys = Keys(self.url)
        self._client = redis.Redis.from_url(self.url)
        queue = rq.Queue(self.queue, connection=self._client)
        self._worker = InThread([queue], connection=self._client, log_job_description=False)

    async def start(self) -> None:
        self._running = asyncio.create_task(asyncio.to_thread(self._worker.work, logging_level="ERROR"))

    async def kept(self) -> int:
        return self._keys.length(f"rq:finished:{self.queue}")

    async def close(self) -> None:
        # It looks at this between jobs, and waits for jobs for minutes: the process ends without it.
        self._worker._stop_requested = True
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
