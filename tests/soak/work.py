"""The workers of the soak: on the loop, in threads and in child processes. ``toril worker`` runs them."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from tests.soak.ledger import Ledger, PlannedFailure
from toril import BlockingJob, Job, Worker
from toril.model.job import JobRecord

#: Names the ledger's file.
LEDGER = "SOAK_LEDGER"

#: Queues by where their handlers run; those of the loop share a worker.
LOOP, PARENTS, THREADS, CHILDREN = "mail", "orders", "reports", "images"
QUEUES = (LOOP, PARENTS, THREADS, CHILDREN)

# Seconds; short, so that what was lost is soon found. Kills are many, so a job may be found often.
_OPTIONS: Any = {
    "lock_duration": 5,
    "stalled_interval": 1,
    "max_stalled_count": 1000,
    "heartbeat_interval": 1,
    "drain_delay": 1,
    "run_retry_delay": 1,
    "cancel_grace": 2,
}

# Seconds between two looks of a blocking handler at whether it shall end.
_LOOK = 0.05


def task_of(queue: str, id: str) -> str:
    """What the ledger calls a job."""
    return f"{queue}/{id}"


def _ledger() -> Ledger:
    return Ledger(Path(os.environ[LEDGER]))


def _finish(job: JobRecord, ledger: Ledger) -> str:
    if job.attempts_made < job.data.get("failures", 0):
        raise PlannedFailure
    return ledger.take_effect(task_of(job.queue_name, job.id))


async def perform(job: Job) -> str:
    """Take as long as the job says, fail as often as it says, then have its effect."""
    ledger = _ledger()
    with ledger.run(task_of(job.queue_name, job.id)):
        await asyncio.sleep(job.data["seconds"])
        return _finish(job, ledger)


def perform_blocking(job: BlockingJob) -> str:
    """The same, in a thread or a child process."""
    ledger = _ledger()
    with ledger.run(task_of(job.queue_name, job.id)):
        end = time.monotonic() + job.data["seconds"]
        while (left := end - time.monotonic()) > 0:
            job.check_cancelled()
            time.sleep(min(left, _LOOK))
        return _finish(job, ledger)


def workers() -> list[Worker]:
    """One worker for each place where handlers run."""
    return [
        Worker([(LOOP, 3), (PARENTS, 1)], perform, concurrency=20, **_OPTIONS),
        Worker(THREADS, perform_blocking, concurrency=6, **_OPTIONS),
        Worker(CHILDREN, perform_blocking, isolation="process", concurrency=2, **_OPTIONS),
    ]
