"""What a worker tells its listeners, and how it speaks of the jobs of a queue."""

from __future__ import annotations

import logging
from typing import Any

from toril.core.job import Job
from toril.core.signals import Signals
from toril.core.worker.run import Settling
from toril.core.worker.tally import Tally
from toril.errors import TorilError
from toril.model.names import QueueRef
from toril.store.values import DelayJob, Finish, RetryNow

_logger = logging.getLogger(__name__)

#: What a worker tells its listeners. Source: BullMQ 6.7, worker events.
EVENTS = frozenset(
    (
        *("ready", "active", "progress", "completed", "failed", "stalled", "drained"),
        *("paused", "resumed", "error", "closing", "closed"),
        # Our own.
        "scaled",
    )
)


class Teller:
    """Tells the listeners of a worker what happens in one of its queues.

    Attributes:
        queue: The queue it speaks of.
        signals: The listeners of the worker.
        tally: Counts what is told.
    """

    def __init__(self, queue: QueueRef, signals: Signals, tally: Tally | None = None) -> None:
        self.queue = queue
        self.signals = signals
        self.tally: Tally = tally or Tally()

    def report(self, error: BaseException) -> None:
        """Tell of an error that is nobody's job; logged when no one listens."""
        self.tally.met(error)
        if "error" not in self.signals.heard:
            self._log(error)
        self.signals.tell("error", error)

    def _log(self, error: BaseException) -> None:
        if isinstance(error, TorilError):
            # Its text says all; where in toril it was met helps nobody, and an outage brings many of them.
            about = {"queue": self.queue.name}
            _logger.error("worker error: %s: %s", type(error).__name__, error, extra=about)
        else:
            _logger.error("worker error", exc_info=error, extra={"queue": self.queue.name})

    def progress(self, job: Job, progress: Any) -> None:
        """A handler tells how far it is."""
        self.signals.tell("progress", job, progress)

    def settled(self, settling: Settling) -> None:
        """A settlement was carried out; told if the job, or its attempt, has come to an end by it."""
        if settling.error is None:
            self.tally.names[settling.job.fields.get(b"name", b"")] += 1
            if "completed" in self.signals.heard:
                self.signals.tell("completed", _with_outcome(settling), settling.result)
        elif getattr(settling.settlement, "fields", None):
            self.tally.fail(settling.job, settling.error)
            if "failed" in self.signals.heard:
                self.signals.tell("failed", _with_outcome(settling), settling.error, "active")


def _with_outcome(settling: Settling) -> Job:
    """The job as it is stored now, as far as its worker knows."""
    job, settlement = settling.job, settling.settlement
    job.fields[b"atm"] = job.attempts_made + 1
    if isinstance(settlement, Finish):
        job.fields[b"finishedOn"] = settling.at_ms
        if settlement.target == "completed":
            job.fields[b"returnvalue"] = settlement.value.encode()
    if isinstance(settlement, Finish | RetryNow | DelayJob) and isinstance(settlement.fields, list):
        for name, text in zip(settlement.fields[::2], settlement.fields[1::2], strict=True):
            job.fields[name.encode()] = text.encode()
    return job
