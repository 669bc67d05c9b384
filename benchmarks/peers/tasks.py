"""Orders carried out with an adapter's producer and consumer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

from benchmarks.arrivals import arriving, arriving_in_threads
from benchmarks.child import CannotError, wall_us
from benchmarks.orders import Order
from benchmarks.peers.ledger import LEDGER
from benchmarks.peers.shapes import BlockingProducer, Consumer, Producer

# Seconds between looks whether the last results are kept, alone and beside other workers: it takes time.
_LOOK, _SHARED_LOOK = 0.001, 0.02
# Threads that add what arrives; each sleeps until its next is due.
_ARRIVING = 16
_JOBS = ("noop", "io", "cpu")
#: What is said of measures that other systems take no part in.
ONLY_PAIR = "this is measured of toril and BullMQ only"


class Adding:
    """Adds jobs with a producer, in one of the ways there are."""

    def __init__(self, order: Order, producer: Producer, count: int) -> None:
        self._order, self._producer, self._count = order, producer, count
        self._numbers = iter(range(count))
        self.notes: dict[str, Any] = {"ids": [], "at_us": {}, "done_us": {}}
        self._ways: dict[str, Callable[[], Awaitable[None]]] = {
            "one": self._one_by_one,
            "concurrent": self._concurrently,
            "bulk": self._in_bulk,
            "fill": self._in_bulk if producer.bulk else self._concurrently,
            "spaced": self._spaced,
            "await": self._spaced,
            "arriving": self._arriving,
        }
        check_mode(order.mode, producer.bulk, self._ways)

    async def ready(self) -> None:
        await self._producer.open()

    async def go(self) -> None:
        await self._ways[self._order.mode]()

    async def _one_by_one(self) -> None:
        for number in self._numbers:
            self.notes["ids"].append((await self._producer.add(number))[0])

    async def _concurrently(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._order.callers):
                group.create_task(self._one_by_one())

    async def _in_bulk(self) -> None:
        for numbers in chunks(self._count, self._order.chunk):
            self.notes["ids"] += await self._producer.add_many(numbers)

    async def _spaced(self) -> None:
        for number, pause_ms in zip(self._numbers, self._order.pauses_ms, strict=False):
            await asyncio.sleep(pause_ms / 1000)
            began = wall_us()
            id, handle = await self._producer.add(number)
            self.notes["ids"].append(id)
            self.notes["at_us"][id] = began
            if self._order.mode == "await":
                await self._producer.result(handle)
                self.notes["done_us"][id] = wall_us()

    async def _arriving(self) -> None:
        await arriving(self._order.pauses_ms, self._arrive)

    async def _arrive(self, number: int, planned_us: float) -> None:
        id, _ = await self._producer.add(number)
        self.notes["ids"].append(id)
        self.notes["at_us"][id] = planned_us

    async def result(self) -> Mapping[str, Any]:
        waiting = await self._producer.waiting()
        await self._producer.close()
        return {**self.notes, "waiting": waiting}


class BlockingAdding:
    """As `Adding`, with a producer that blocks; concurrent callers are threads."""

    def __init__(self, order: Order, producer: BlockingProducer, count: int) -> None:
        self._order, self._producer, self._count = order, producer, count
        self._numbers = iter(range(count))
        self.notes: dict[str, Any] = {"ids": [], "at_us": {}, "done_us": {}}
        self._ways: dict[str, Callable[[], None]] = {
            "one": self._one_by_one,
            "concurrent": self._concurrently,
            "bulk": self._in_bulk,
            "fill": self._in_bulk if producer.bulk else self._one_by_one,
            "spaced": self._spaced,
            "await": self._spaced,
            "arriving": self._arriving,
        }
        check_mode(order.mode, producer.bulk, self._ways)

    async def ready(self) -> None:
        await asyncio.to_thread(self._producer.open)

    async def go(self) -> None:
        await asyncio.to_thread(self._ways[self._order.mode])

    def _one_by_one(self) -> None:
        for number in self._numbers:
            self.notes["ids"].append(self._producer.add(number)[0])

    def _concurrently(self) -> None:
        with ThreadPoolExecutor(self._order.callers) as pool:
            for done in [pool.submit(self._one_by_one) for _ in range(self._order.callers)]:
                done.result()

    def _in_bulk(self) -> None:
        for numbers in chunks(self._count, self._order.chunk):
            self.notes["ids"] += self._producer.add_many(numbers)

    def _spaced(self) -> None:
        for number, pause_ms in zip(self._numbers, self._order.pauses_ms, strict=False):
            sleep(pause_ms / 1000)
            began = wall_us()
            id, handle = self._producer.add(number)
            self.notes["ids"].append(id)
            self.notes["at_us"][id] = began
            if self._order.mode == "await":
                self._producer.result(handle)
                self.notes["done_us"][id] = wall_us()

    def _arriving(self) -> None:
        arriving_in_threads(self._order.pauses_ms, self._arrive, _ARRIVING)

    def _arrive(self, number: int, planned_us: float) -> None:
        id, _ = self._producer.add(number)
        self.notes["ids"].append(id)
        self.notes["at_us"][id] = planned_us

    async def result(self) -> Mapping[str, Any]:
        waiting = await asyncio.to_thread(self._producer.waiting)
        await asyncio.to_thread(self._producer.close)
        return {**self.notes, "waiting": waiting}


class Working:
    """Runs jobs with a consumer until so many are settled: seen by the handler, their results kept."""

    def __init__(self, order: Order, consumer: Consumer, count: int) -> None:
        if order.job not in _JOBS:
            raise CannotError(ONLY_PAIR)
        self._order, self._consumer, self._count = order, consumer, count
        self._kept_before = 0

    async def ready(self) -> None:
        await self._consumer.open()
        self._kept_before = await self._consumer.kept()
        LEDGER.open(self._order, self._count, asyncio.get_running_loop())

    async def go(self) -> None:
        await self._consumer.start()
        if not self._order.shared:
            await LEDGER.full.wait()
        kept = await self._kept()
        while kept < self._count:
            await asyncio.sleep(_SHARED_LOOK if self._order.shared else _LOOK)
            kept = await self._kept()

    async def _kept(self) -> int:
        return await self._consumer.kept() - self._kept_before

    async def result(self) -> Mapping[str, Any]:
        completed = await self._kept()
        await self._consumer.close()
        seen = len(LEDGER.ids) if self._order.ledger else LEDGER.seen
        return {"ids": LEDGER.ids, "at_us": LEDGER.at_us, "seen": seen, "completed": completed}


def chunks(count: int, size: int) -> list[range]:
    """The numbers below ``count``, so many at a time."""
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def check_mode(mode: str, bulk: bool, ways: Mapping[str, Any]) -> None:
    """Refuse a way of adding that a system doesn't have.

    Raises:
        CannotError: It has not.
    """
    if mode not in ways:
        raise CannotError(ONLY_PAIR)
    if mode == "bulk" and not bulk:
        raise CannotError("it has no bulk add")
