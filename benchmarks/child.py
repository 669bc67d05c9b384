"""The child's side of the talk between the runner and an adapter: one JSON object a line.

An adapter is a program that does one thing at a time with one system. It reads lines from its input and
answers each on its output, until the input ends:

    -> {"prepare": {"verb": "work", "url": "unix:///...", "queue": "bench", ...}}     see `orders.Order`
    <- {"ready": true}
    -> {"go": {}}
    <- {"result": {"seconds": 0.71, "cpu": 0.64, ...}}
    -> {"versions": {}}
    <- {"versions": {"toril": "0.1.0", ...}}

    or <- {"cannot": "it has no bulk add"}                                            the system can't

What goes wrong ends the program, and is told on its error output. `ready` means connected and warm: what
follows `go` is what is measured. `seconds` and `cpu` are those of the process between `go` and the last
answer from the server. A result says besides:

    add     ids: of the jobs, waiting: how many wait on the server, at_us: {id: add began} if spaced, or
            {id: add was planned} if arriving, done_us: {id: its result was there} if awaited,
            due_us: {id: when it is due} if delayed
    work    ids: seen by the handler, completed: how many the server keeps, at_us: {id: handler began}
    flow    as work, and added: the ids that the adds answered
    spread  as flow; the ids are those of the queues and the jobs, with a colon between
    serve   as flow; the ids are those of the queues and the jobs, with a colon between, each as often as its
            job was started; took: {way: [seconds of each part]}, part: how many jobs that is
    burn    nothing

If no ledger is kept, a worker tells `seen`, the number, and no ids.

Instants are microseconds of the wall clock. For a system in Python, `serve` does all of this but the work.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from benchmarks.burn import burn
from benchmarks.orders import Order


class CannotError(Exception):
    """The system has no such thing; the message says what it lacks."""


class Task(Protocol):
    """What an order comes to once everything is prepared."""

    async def go(self) -> None:
        """Do what is measured, and return when it is done."""
        ...

    async def result(self) -> Mapping[str, Any]:
        """What happened; closes what was opened. Not measured."""
        ...


Prepare = Callable[[Order], Awaitable[Task]]


def wall_us() -> float:
    """Microseconds since the epoch."""
    return time.time_ns() / 1000


async def serve(prepare: Prepare, versions: Callable[[], Mapping[str, str]]) -> None:
    """Follow the runner until it hangs up.

    Args:
        prepare: Connects and gets warm for an order.
        versions: Answers those of what is measured, by name; called when they are asked for, since looking
            them up takes time that no worker needs to boot.
    """
    loop = asyncio.get_running_loop()
    task: Task | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        message = json.loads(line)
        if "prepare" in message:
            try:
                task = await prepare(Order(**message["prepare"]))
            except CannotError as error:
                _say({"cannot": str(error)})
            else:
                _say({"ready": True})
        elif "versions" in message:
            _say({"versions": dict(versions())})
        elif task is not None:
            _say({"result": await _measure(task)})


class Burning:
    """Does what ``cpu`` jobs do, so many times, with no queue."""

    def __init__(self, count: int) -> None:
        self._count = count

    async def go(self) -> None:
        for _ in range(self._count):
            burn()

    async def result(self) -> Mapping[str, Any]:
        return {}


async def _measure(task: Task) -> dict[str, Any]:
    began, cpu_began = time.perf_counter(), time.process_time()
    await task.go()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
    return {"seconds": seconds, "cpu": cpu, **await task.result()}


def _say(message: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
