"""Calling a handler that may run for so long only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from toril.core.job import Job
from toril.core.worker.interrupts import Interrupts
from toril.core.worker.softly import Softly
from toril.errors import JobTimeout, SoftTimeout
from toril.model.time_limits import TimeLimit


async def within(limit: TimeLimit, called: Awaitable[Any], job: Job, interrupts: Interrupts) -> Any:
    """What a handler returns, unless it is told to end before."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None, "handlers are called in tasks"
    timers: list[asyncio.TimerHandle] = []
    if limit.hard_ms is not None:
        seconds = limit.hard_ms / 1000
        late = JobTimeout(f"timed out after {seconds:g} s", queue=job.queue_name, job_id=job.id, verb="run")
        timers.append(loop.call_later(seconds, interrupts.end, job, task, late))
    if limit.soft_ms is not None:
        seconds = limit.soft_ms / 1000
        called = Softly(called, task)
        timers.append(loop.call_later(seconds, called.tell, SoftTimeout(f"soft timeout after {seconds:g} s")))
    try:
        return await called
    finally:
        for timer in timers:
            timer.cancel()
