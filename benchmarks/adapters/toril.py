"""toril, as a program that the runner steers: see `benchmarks.child`."""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from typing import Any

from benchmarks.child import Task, serve, wall_us
from benchmarks.orders import Order
from toril import Job, Queue, Worker

_PACKAGES = ("toril", "hiredis", "msgspec", "uvloop")


class Adding:
    """Adds jobs to a queue, in one of the ways there are."""

    def __init__(self, order: Order, name: str, count: int) -> None:
        self._order = order
        self._queue = Queue(name, url=order.url)
        self._numbers = iter(range(count))
        self._count = count
        self.ids: list[str] = []
        self.at_us: dict[str, float] = {}

    async def ready(self) -> None:
        await self._queue.ready()

    async def go(self) -> None:
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "one": self._one_by_one,
            "concurrent": self._concurrently,
            "bulk": self._in_bulk,
            "spaced": self._spaced,
        }
        await ways[self._order.mode]()

    async def _one_by_one(self) -> None:
        for number in self._numbers:
            job = await self._queue.add("noop", {"n": number})
            self.ids.append(job.id)

    async def _concurrently(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._order.callers):
                group.create_task(self._one_by_one())

    async def _in_bulk(self) -> None:
        chunk = self._order.chunk
        for first in range(0, self._count, chunk):
            numbers = range(first, min(first + chunk, self._count))
            for job in await self._queue.add_many([("noop", {"n": number}) for number in numbers]):
                if not isinstance(job, Job):
                    raise job
                self.ids.append(job.id)

    async def _spaced(self) -> None:
        for number, pause_ms in zip(self._numbers, self._order.pauses_ms, strict=False):
            await asyncio.sleep(pause_ms / 1000)
            began = wall_us()
            job = await self._queue.add("noop", {"n": number})
            self.ids.append(job.id)
            self.at_us[job.id] = began

    async def result(self) -> Mapping[str, Any]:
        waiting = await self._queue.get_waiting_count()
        await self._queue.close()
        return {"ids": self.ids, "at_us": self.at_us, "waiting": waiting}


class Working:
    """Runs no-op jobs until so many are settled."""

    def __init__(self, order: Order, name: str, count: int) -> None:
        self._queue = Queue(name, url=order.url)
        handler = self._stamp if order.stamps else self._see
        self._worker = Worker(name, handler, url=order.url, concurrency=order.concurrency)
        self._worker.on("completed", self._completed)
        self._worker.on("error", self._failed)
        self._left = count
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._seen: list[str] = []
        self._at_us: dict[str, float] = {}

    async def _see(self, job: Job) -> None:
        self._seen.append(job.id)

    async def _stamp(self, job: Job) -> None:
        began = wall_us()
        self._seen.append(job.id)
        self._at_us.setdefault(job.id, began)

    def _completed(self, _job: Job, _result: object) -> None:
        self._left -= 1
        if self._left == 0 and not self._done.done():
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

    async def result(self) -> Mapping[str, Any]:
        await self._worker.close()
        completed = await self._queue.get_completed_count()
        await self._queue.close()
        return {"ids": self._seen, "at_us": self._at_us, "completed": completed}


async def prepare(order: Order) -> Task:
    kind = {"add": Adding, "work": Working}[order.verb]
    if order.warmup:
        warm = kind(order, order.warm_queue, order.warmup)
        await warm.ready()
        await warm.go()
        await warm.result()
    task = kind(order, order.queue, order.count)
    await task.ready()
    return task


def main() -> None:
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES if find_spec(name)}
    if "uvloop" in versions:
        import uvloop

        uvloop.run(serve(prepare, versions))
    else:
        asyncio.run(serve(prepare, {**versions, "event loop": "asyncio"}))


if __name__ == "__main__":
    main()
