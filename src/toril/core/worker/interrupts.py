"""Ending handlers from outside: each is told once, and given up if it goes on all the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from toril.core.job import Job

_logger = logging.getLogger(__name__)

#: Settles a job whose handler goes on, and lets its slot go: the job, and why it had to end.
GiveUp = Callable[[Job, BaseException], None]


class Interrupts:
    """The handlers that are called now, and those of them that were told to end.

    Args:
        grace: A handler that goes on for so many seconds after it was told is given up.

    Attributes:
        calls: Jobs whose handler is called now. Nothing else that is done for a job may be broken off.
        reasons: Why a job's handler was told to end; what it comes to is not asked for any more.
        give_up: What to do with one that goes on; ``None`` leaves it where it is.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self.calls: set[Job] = set()
        self.reasons: dict[Job, BaseException] = {}
        self.give_up: GiveUp | None = None

    def end(self, job: Job, task: asyncio.Task[Any] | None, reason: BaseException) -> None:
        """Tell the handler of a job to end, by cancelling its task. The first reason stands.

        One that was not called yet is not called at all. If it has ended already, this means nothing.
        """
        if job in self.reasons:
            return
        self.reasons[job] = reason
        loop = asyncio.get_running_loop()
        if job in self.calls and task is not None:
            task.cancel()
            loop.call_later(self._grace, self._look_after, job, task)
        else:
            loop.call_later(self._grace, self._forget, job)

    def reason(self, job: Job) -> BaseException | None:
        """Why the job's handler, which has ended now, was told to; the task is as if it had not been."""
        reason = self.reasons.pop(job, None)
        task = asyncio.current_task()
        if reason is not None and task is not None:
            task.uncancel()
        return reason

    def _forget(self, job: Job) -> None:
        """Of a job whose handler runs after all, the renewal of its lock will tell once more."""
        self.reasons.pop(job, None)

    def _look_after(self, job: Job, task: asyncio.Task[Any]) -> None:
        reason = self.reasons.get(job)
        if reason is None:
            return
        _logger.warning(
            "a handler goes on though it was told to end; its slot is given to other jobs: job %s (%s) of %s",
            *(job.id, job.name, job.queue_name),
            extra={
                "queue": job.queue_name,
                "job_name": job.name,
                "job_id": job.id,
                "reason": str(reason),
                "seconds": self._grace,
            },
        )
        if self.give_up is not None:
            del self.reasons[job]
            self.give_up(job, reason)
            # Who waits for a thread leaves it, and who did not hear the first time may hear now.
            task.cancel()
