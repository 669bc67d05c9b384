"""Jobs that ``toril worker`` runs, as people start it, in turns with another way to do the same."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Protocol

from benchmarks.burn import burn
from benchmarks.orders import Order
from toril import Job, Queue, Worker

# Where the processes of `toril worker` find the order.
_ORDER = "TORIL_BENCHMARK_ORDER"
# Seconds between looks at what is done: seldom enough to take little time from those who do it.
_LOOK = 0.005
# All is done in so many parts, each way in turns: what else the machine does meets all of them alike.
_PARTS = 10


async def noop(job: Job) -> None:
    """Nothing."""


def compute(_job: Job) -> None:
    """In a thread, as people write it."""
    burn()


_HANDLERS: dict[str, Callable[[Job], Any]] = {"noop": noop, "cpu": compute}


def workers() -> Worker:
    """The target."""
    order = Order(**json.loads(os.environ[_ORDER]))
    [isolation] = order.ways
    return Worker(
        order.queue,
        _HANDLERS[order.job],
        url=order.url,
        concurrency=order.concurrency,
        isolation=isolation,
    )


class Way(Protocol):
    """A way to do what jobs do."""

    async def start(self) -> None: ...
    async def do(self, count: int) -> None: ...
    async def end(self) -> None: ...


class Service:
    """``toril worker`` on a queue of its own."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._queue = Queue(order.queue, url=order.url)
        self._process: Process | None = None
        self.added: list[str] = []
        self.ids: list[str] = []

    async def start(self) -> None:
        words = ("worker", "benchmarks.served:workers", "--processes", str(self._order.processes))
        env = {**os.environ, _ORDER: json.dumps(asdict(self._order))}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "toril.cli", *words, "--log-level", "error", stdout=DEVNULL, env=env
        )
        while len(await self._queue.get_workers()) < self._order.processes:
            await self._pause()

    async def do(self, count: int) -> None:
        for job in await self._queue.add_many([(self._order.job, {"n": number}) for number in range(count)]):
            if not isinstance(job, Job):
                raise job
            self.added.append(f"{self._order.queue}:{job.id}")
        while await self._queue.get_completed_count() < len(self.added):
            await self._pause()

    async def _pause(self) -> None:
        assert self._process is not None
        if self._process.returncode is not None:
            raise RuntimeError(f"toril worker has ended with code {self._process.returncode}")
        await asyncio.sleep(_LOOK)

    async def end(self) -> None:
        async for job in self._queue.iter_jobs("completed"):
            self.ids += [f"{self._order.queue}:{job.id}"] * job.attempts_started
        await self._queue.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


class Burners:
    """Plain processes that compute at the same time, with no queue."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._processes: list[Process] = []

    async def start(self) -> None:
        for _ in range(self._order.processes):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "benchmarks.burn", stdin=PIPE, stdout=PIPE
            )
            self._processes.append(process)

    async def do(self, count: int) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{count // len(self._processes)}\n".encode())
        for process in self._processes:
            assert process.stdout is not None
            if not await process.stdout.readline():
                raise RuntimeError("a process that computes has ended")

    async def end(self) -> None:
        for process in self._processes:
            await process.communicate(b"")


class Turns:
    """Does the same in several ways, a part in each of them in turns."""

    def __init__(self, order: Order) -> None:
        self._part = order.count // _PARTS
        self._warmup = order.warmup
        self._ways: dict[str, Way] = {}
        for way in order.ways:
            own = replace(order, queue=f"{order.queue}-{way}", ways=[way])
            self._ways[way] = Burners(own) if way == "burn" else Service(own)
        self._took: dict[str, list[float]] = {way: [] for way in order.ways}

    async def ready(self) -> None:
        """Start them all, and let them get warm."""
        for way in self._ways.values():
            await way.start()
        for way in self._ways.values():
            await way.do(max(self._warmup, self._part))

    async def go(self) -> None:
        ways = list(self._ways)
        for _ in range(_PARTS):
            for way in ways:
                began = time.perf_counter()
                await self._ways[way].do(self._part)
                self._took[way].append(time.perf_counter() - began)
            ways.reverse()

    async def result(self) -> Mapping[str, Any]:
        services = [way for way in self._ways.values() if isinstance(way, Service)]
        for way in self._ways.values():
            await way.end()
        ids = [id for service in services for id in service.ids]
        added = [id for service in services for id in service.added]
        return {
            "ids": ids,
            "added": added,
            "completed": len(set(ids)),
            "took": self._took,
            "part": self._part,
        }
