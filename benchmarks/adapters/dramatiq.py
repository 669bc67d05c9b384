"""Dramatiq, with the Results middleware."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from benchmarks.peers.keys import Keys
from benchmarks.peers.ledger import handle
from benchmarks.peers.shapes import BlockingProducer, Consumer

dramatiq = importlib.import_module("dramatiq")
brokers = importlib.import_module("dramatiq.brokers.redis")
results = importlib.import_module("dramatiq.results")
backends = importlib.import_module("dramatiq.results.backends")
current = importlib.import_module("dramatiq.middleware.current_message")

PACKAGES = ("dramatiq", "redis", "hiredis")
_RESULTS = "benchmark-results"
# Messages that a worker fetches ahead at least, if jobs are short; by default two a thread.
_AHEAD = 100


def work(number: int) -> int:
    return handle(current.CurrentMessage.get_current_message().message_id, number)


def make_broker(url: str, queue: str) -> tuple[Any, Any]:
    """A broker, and its actor."""
    broker = brokers.RedisBroker(url=url)
    backend = backends.RedisBackend(url=url, namespace=_RESULTS, use_namespace_prefix_keys=True)
    broker.add_middleware(results.Results(backend=backend, store_results=True))
    broker.add_middleware(current.CurrentMessage())
    return broker, dramatiq.actor(work, broker=broker, queue_name=queue, actor_name="work")


class Adding(BlockingProducer):
    def open(self) -> None:
        self._broker, self._actor = make_broker(self.url, self.queue)
        self._keys = Keys(self.url)

    def close(self) -> None:
        self._broker.close()
        self._keys.close()

    def waiting(self) -> int:
        return self._keys.length(f"dramatiq:{self.queue}")

    def add(self, number: int) -> tuple[str, Any]:
        message = self._actor.send(number)
        return message.message_id, message

    def result(self, handle: Any) -> Any:
        backend = next(each.backend for each in self._broker.middleware if isinstance(each, results.Results))
        return backend.get_result(handle, block=True)


class Working(Consumer):
    async def open(self) -> None:
        self._keys = Keys(self.url)
        self._broker, _ = make_broker(self.url, self.queue)
        self._worker = dramatiq.Worker(self._broker, queues={self.queue}, worker_threads=self.slots)
        if not self.long:
            self._worker.queue_prefetch = max(self._worker.queue_prefetch, _AHEAD)

    async def start(self) -> None:
        self._worker.start()

    async def kept(self) -> int:
        return self._keys.matching(f"{_RESULTS}*")

    async def close(self) -> None:
        await asyncio.to_thread(self._worker.stop)
        self._broker.close()
        self._keys.close()


PRODUCER, CONSUMER = Adding, Working
