"""Calling a handler that may run for so long only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any

from toril.core.job import Job
from toril.core.worker.interrupts import Interrupts
from toril.errors import JobTimeout, SoftTimeout
from toril.model.time_limits import TimeLimit


async def within(limit: TimeLimit, called: Awaitable[Any], job: Job, interrupts: Interrupts) -> Any:
    """What a handler returns, unless it is told to end before."""
    task, timer = asyncio.current_task(), None
    if limit.hard_ms is not None and task is not None:
        seconds = limit.hard_ms / 1000
        late = JobTimeout(f"timed out after {seconds:g} s", queue=job.queue_name, job_id=job.id, verb="run")
        timer = asyncio.get_running_loop().call_later(seconds, interrupts.end, job, task, late)
    try:
        return await (called if limit.soft_ms is None else _Softly(called, limit.soft_ms / 1000))
    finally:
        if timer is not None:
            timer.cancel()


class _Softly:
    """Awaits a handler, and raises ``SoftTimeout`` in it, at what it waits for then, when time is up.

    The task is cancelled, so that whatever the handler waits for is given up as it always is; what reaches
    the handler is changed on its way. Only a kind of ``CancelledError`` may take this way.
    """

    __slots__ = ("_awaited", "_due", "_seconds")

    def __init__(self, awaited: Awaitable[Any], seconds: float) -> None:
        self._awaited = awaited
        self._seconds = seconds
        self._due = False

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None, "handlers are called in tasks"
        timer = asyncio.get_running_loop().call_later(self._seconds, self._tell, task)
        try:
            return (yield from self._drive(self._awaited.__await__(), task, task.cancelling()))
        finally:
            timer.cancel()

    def _tell(self, task: asyncio.Task[Any]) -> None:
        self._due = True
        task.cancel()

    def _drive(
        self, inner: Generator[Any, Any, Any], task: asyncio.Task[Any], before: int
    ) -> Generator[Any, Any, Any]:
        step: Any = inner.send
        value: Any = None
        while True:
            try:
                waited_for = step(value)
            except StopIteration as end:
                return end.value
            try:
                step, value = inner.send, (yield waited_for)
            except BaseException as error:
                step, value = inner.throw, self._meant(error, task, before)

    def _meant(self, error: BaseException, task: asyncio.Task[Any], before: int) -> BaseException:
        """The soft timeout, if that is why the task was cancelled, and nobody else has cancelled it, too."""
        if not (self._due and isinstance(error, asyncio.CancelledError)):
            return error
        self._due = False
        alone = task.uncancel() == before
        return SoftTimeout(f"soft timeout after {self._seconds:g} s") if alone else error
