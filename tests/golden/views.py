"""What toril gives back, in the neutral shape of the recordings."""

from __future__ import annotations

from typing import Any

from tests.golden.returned import UNRECOVERABLE
from tests.golden.values import JSON
from toril import Batch, FailedChildren, Job, JobError, Unrecoverable


def job_view(job: Job) -> dict[str, JSON]:
    """All of a job that has a value."""
    view: dict[str, Any] = {
        "id": job.id,
        "name": job.name,
        "data": job.data,
        "opts": _options(job),
        "progress": job.progress,
        "delay": job.delay_ms,
        "priority": job.priority,
        "timestamp": job.timestamp_ms,
        "attemptsMade": job.attempts_made,
        "attemptsStarted": job.attempts_started,
        "stalledCounter": job.stalled_counter,
        "processedOn": job.processed_on_ms,
        "finishedOn": job.finished_on_ms,
        "failedReason": job.failed_reason or None,
        "returnvalue": job.return_value,
        "stacktrace": job.stacktrace,
        "parentKey": job.parent_key,
        "parent": job.parent,
        "deduplicationId": job.deduplication_id,
        "repeatJobKey": job.repeat_job_key,
        "processedBy": job.processed_by,
        "deferredFailure": job.deferred_failure,
        "token": job.token or None,
    }
    return {field: value for field, value in view.items() if value is not None}


def _options(job: Job) -> dict[str, Any]:
    options = {"attempts": 0} | job.opts
    options.pop("repeatJobKey", None)
    return options


def error_view(error: BaseException) -> dict[str, JSON]:
    """What is recorded of an error: its class as BullMQ has it, and BullMQ's number if it has one."""
    # What no further attempt can mend, BullMQ raises as the one class it has for that.
    name = UNRECOVERABLE if isinstance(error, Unrecoverable | FailedChildren) else "Error"
    view: dict[str, JSON] = {"name": name, "message": str(error)}
    if isinstance(error, JobError) and error.code:
        view["code"] = error.code
    return {"error": view}


def next_job(batch: Batch) -> Job | None:
    """The job that a settlement handed over."""
    first = batch.jobs[0] if batch.jobs else None
    return first if isinstance(first, Job) else None


def batch_view(batch: Batch) -> dict[str, JSON]:
    """What is recorded of a settlement that asked for the next job."""
    job = next_job(batch)
    if job is not None:
        return {"next": {"id": job.id}, "rateLimitDelay": 0, "delayUntil": 0}
    if batch.closed or batch.limited_ms or batch.next_due_ms:
        return {"next": None, "rateLimitDelay": batch.limited_ms, "delayUntil": batch.next_due_ms}
    return {"next": None}
