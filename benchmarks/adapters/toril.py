"""toril, as a program that the runner steers: see `benchmarks.child`."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from math import floor
from typing import Any

from benchmarks.arrivals import arriving
from benchmarks.burn import burn
from benchmarks.child import Burning, Task, serve, wall_us
from benchmarks.orders import Order
from toril import AddOptions, Flow, FlowProducer, Job, Queue, Worker

_PACKAGES = ("toril", "hiredis", "msgspec", "uvloop")
# How long an I/O job waits, and between looks whether other workers are done, in seconds.
_IO_SECONDS, _LOOK = 0.01, 0.002


class Adding:
    """Adds jobs to a queue, in one of the ways there are."""

    def __init__(self, order: Order, name: str, count: int) -> None:
        self._order = order
        self._queue = Queue(name, url=order.url)
        self._numbers = iter(range(count))
        self._count = count
        # A job that fails is retried once, at once.
        self._options: AddOptions = {"attempts": 2} if order.job == "fail" else {}
        self._more = {"text": "x" * order.payload} if order.payload else {}
        self.ids: list[str] = []
        self.at_us: dict[str, float] = {}
        self.done_us: dict[str, float] = {}
        self.due_us: dict[str, float] = {}

    async def ready(self) -> None:
        await self._queue.ready()

    async def go(self) -> None:
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "one": self._one_by_one,
            "concurrent": self._concurrently,
            "bulk": self._in_bulk,
            "fill": self._in_bulk,
            "delayed": self._delayed,
            "spaced": self._spaced,
            "await": self._spaced,
            "arriving": self._arriving,
        }
        await ways[self._order.mode]()

    def _job(self, number: int) -> tuple[str, Any, AddOptions]:
        options = self._options
        if self._order.priorities:
            options = AddOptions(priority=number % self._order.priorities + 1)
        return "noop", {"n": number, **self._more}, options

    async def _one_by_one(self) -> None:
        for number in self._numbers:
            job = await self._queue.add("noop", {"n": number, **self._more})
            self.ids.append(job.id)

    async def _concurrently(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._order.callers):
                group.create_task(self._one_by_one())

    async def _in_bulk(self) -> None:
        for numbers in self._chunks():
            await self._add_many([self._job(number) for number in numbers])

    async def _delayed(self) -> None:
        first_us = wall_us() + self._order.due_in_ms * 1000
        step_us = self._order.due_over_ms * 1000 / self._count
        for numbers in self._chunks():
            due = [datetime.fromtimestamp((first_us + number * step_us) / 1e6, UTC) for number in numbers]
            jobs = [
                ("noop", {"n": number}, AddOptions(at=at)) for number, at in zip(numbers, due, strict=True)
            ]
            for id, at in zip(await self._add_many(jobs), due, strict=True):
                self.due_us[id] = floor(at.timestamp() * 1000) * 1000.0

    def _chunks(self) -> list[range]:
        size = self._order.chunk
        return [range(first, min(first + size, self._count)) for first in range(0, self._count, size)]

    async def _add_many(self, jobs: list[tuple[str, Any, AddOptions]]) -> list[str]:
        ids: list[str] = []
        for job in await self._queue.add_many(jobs):
            if not isinstance(job, Job):
                raise job
            ids.append(job.id)
        self.ids += ids
        return ids

    async def _spaced(self) -> None:
        for number, pause_ms in zip(self._numbers, self._order.pauses_ms, strict=False):
            await asyncio.sleep(pause_ms / 1000)
            began = wall_us()
            job = await self._queue.add("noop", {"n": number})
            self.ids.append(job.id)
            self.at_us[job.id] = began
            if self._order.mode == "await":
                await job.result()
                self.done_us[job.id] = wall_us()

    async def _arriving(self) -> None:
        await arriving(self._order.pauses_ms, self._arrive)

    async def _arrive(self, number: int, planned_us: float) -> None:
        job = await self._queue.add("noop", {"n": number})
        self.ids.append(job.id)
        self.at_us[job.id] = planned_us

    async def result(self) -> Mapping[str, Any]:
        waiting = await self._queue.get_waiting_count() + await self._queue.get_prioritized_count()
        await self._queue.close()
        instants = {"at_us": self.at_us, "done_us": self.done_us, "due_us": self.due_us}
        return {"ids": self.ids, "waiting": waiting, **instants}


class Working:
    """Runs jobs until so many are settled."""

    def __init__(self, order: Order, name: str, count: int) -> None:
        self._order = order
        self._queue = Queue(name, url=order.url)
        self._worker = Worker(name, self._handler(), url=order.url, concurrency=order.concurrency)
        self._worker.on("completed", self._settled)
        self._worker.on("error", self._failed)
        self._count = count
        self._left = count
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if order.job == "fail":
            self._worker.on("failed", self._settled)
            # Each attempt that fails is told.
            self._left = 2 * count
        if order.shared:
            self._worker.on("drained", self._finish)
        self._seen: list[str] = []
        self._at_us: dict[str, float] = {}

    def _handler(self) -> Callable[[Job], Awaitable[None]]:
        if self._order.job == "noop" and not self._order.ledger:
            return self._count_only
        kinds = {
            "noop": self._see,
            "read": self._read,
            "io": self._wait,
            "cpu": self._compute,
            "fail": self._fail,
        }
        return self._stamp if self._order.stamps else kinds[self._order.job]

    async def _count_only(self, job: Job) -> None:
        pass

    async def _see(self, job: Job) -> None:
        self._seen.append(job.id)

    async def _read(self, job: Job) -> None:
        if len(job.data["text"]) == self._order.payload:
            self._seen.append(job.id)

    async def _compute(self, job: Job) -> None:
        self._seen.append(job.id)
        burn()

    async def _stamp(self, job: Job) -> None:
        began = wall_us()
        self._seen.append(job.id)
        self._at_us.setdefault(job.id, began)

    async def _wait(self, job: Job) -> None:
        self._seen.append(job.id)
        await asyncio.sleep(_IO_SECONDS)

    async def _fail(self, job: Job) -> None:
        self._seen.append(job.id)
        raise RuntimeError("as it shall")

    def _settled(self, *_about: object) -> None:
        self._left -= 1
        if self._left == 0 and not self._order.shared:
            self._finish()

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _failed(self, error: BaseException) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    async def ready(self) -> None:
        # The worker uses the same connection.
        await self._queue.ready()

    async def go(self) -> None:
        await self._worker.start()
        await self._done
        if self._order.shared:
            await self._others()

    async def _others(self) -> None:
        """Wait for what other workers have taken."""
        kept = await self._queue.get_completed_count()
        while kept < self._count:
            await asyncio.sleep(_LOOK)
            kept = await self._queue.get_completed_count()

    async def result(self) -> Mapping[str, Any]:
        await self._worker.close()
        completed = await self._queue.get_completed_count()
        failed = await self._queue.get_failed_count()
        await self._queue.close()
        counts = {"seen": self._count - self._left, "completed": completed, "failed": failed}
        return {"ids": self._seen, "at_us": self._at_us, **counts}


class Flowing(Working):
    """Adds parents with children, and runs them all."""

    def __init__(self, order: Order, name: str, count: int) -> None:
        whole = order.children + 1
        super().__init__(order, name, max(count // whole, 1) * whole)
        self._producer = FlowProducer(url=order.url)
        self._name = name
        self._added: list[str] = []

    async def ready(self) -> None:
        await self._producer.ready()
        await super().ready()

    async def go(self) -> None:
        await self._worker.start()
        for _ in range(self._count // (self._order.children + 1)):
            children = [Flow("child", {"n": n}, queue=self._name) for n in range(self._order.children)]
            node = await self._producer.add(Flow("parent", {}, queue=self._name, children=children))
            self._added += [node.job.id, *(child.job.id for child in node.children)]
        await self._done

    async def result(self) -> Mapping[str, Any]:
        told = await super().result()
        await self._producer.close()
        return {**told, "added": self._added}


class Spreading:
    """Adds to many queues in turns, and runs all of them in this process."""

    def __init__(self, order: Order, name: str, count: int) -> None:
        names = [f"{name}-{number}" for number in range(order.queues)]
        self._queues = [Queue(each, url=order.url) for each in names]
        self._workers = [
            Worker(each, self._see(each), url=order.url, concurrency=order.concurrency) for each in names
        ]
        self._callers, self._numbers, self._left = order.callers, iter(range(count)), count
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._added: list[str] = []
        self._seen: list[str] = []
        for worker in self._workers:
            worker.on("completed", self._settled)
            worker.on("error", self._done.set_exception)

    def _see(self, name: str) -> Callable[[Job], Awaitable[None]]:
        async def see(job: Job) -> None:
            self._seen.append(f"{name}:{job.id}")

        return see

    def _settled(self, *_about: object) -> None:
        self._left -= 1
        if self._left == 0:
            self._done.set_result(None)

    async def ready(self) -> None:
        for queue in self._queues:
            await queue.ready()
        for worker in self._workers:
            await worker.start()

    async def go(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._callers):
                group.create_task(self._add())
        await self._done

    async def _add(self) -> None:
        for number in self._numbers:
            queue = self._queues[number % len(self._queues)]
            job = await queue.add("noop", {"n": number})
            self._added.append(f"{queue.name}:{job.id}")

    async def result(self) -> Mapping[str, Any]:
        await asyncio.gather(*(worker.close() for worker in self._workers))
        completed = sum([await queue.get_completed_count() for queue in self._queues])
        await asyncio.gather(*(queue.close() for queue in self._queues))
        return {"ids": self._seen, "added": self._added, "completed": completed}


async def prepare(order: Order) -> Task:
    if order.verb == "burn":
        return Burning(order.count)
    if order.verb == "serve":
        # What other adapters don't need is not loaded: how long they take to boot is measured.
        turns = importlib.import_module("benchmarks.served").Turns(order)
        await turns.ready()
        return turns
    kind = {"add": Adding, "work": Working, "flow": Flowing, "spread": Spreading}[order.verb]
    if order.warmup:
        warm = kind(replace(order, queues=1), order.warm_queue, order.warmup)
        await warm.ready()
        await warm.go()
        await warm.result()
    task = kind(order, order.queue, order.count)
    await task.ready()
    return task


def versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in _PACKAGES if find_spec(name)}
    return found if "uvloop" in found else {**found, "event loop": "asyncio"}


def main() -> None:
    run = importlib.import_module("uvloop").run if find_spec("uvloop") else asyncio.run
    run(serve(prepare, versions))


if __name__ == "__main__":
    main()
