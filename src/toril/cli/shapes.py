"""The JSON of the command line: documented in ``docs/reference/command-line.md``, so what is here stays."""

from __future__ import annotations

from typing import Any

from toril import Event, Job, JobNode, JobScheduler, WorkerInfo, WorkerStatus


def job_shape(job: Job, state: str) -> dict[str, Any]:
    """A job."""
    return {
        "id": job.id,
        "queue": job.queue_name,
        "name": job.name,
        "state": state,
        "data": data_of(job),
        "options": job.opts,
        "priority": job.priority,
        "delay": job.delay,
        "progress": job.progress,
        "attempts": max(job.attempts, 1),
        "attempts_made": job.attempts_made,
        "attempts_started": job.attempts_started,
        "stalled": job.stalled_counter,
        "created_at": job.created_at,
        "processed_at": job.processed_at,
        "finished_at": job.finished_at,
        "worker": job.processed_by,
        "result": job.return_value,
        "failed_reason": job.failed_reason,
        "stacktrace": job.stacktrace,
        "parent": job.parent_key,
        "scheduler": job.repeat_job_key,
        "deduplication_id": job.deduplication_id,
    }


def data_of(job: Job) -> Any:
    """The payload; its text if it is no JSON."""
    try:
        return job.data
    except ValueError:
        return job.to_dict(wire=True).get("data")


def tree_shape(node: JobNode, states: dict[str, str]) -> dict[str, Any]:
    """A job with its children; ``states`` by the keys of jobs."""
    job = node.job
    return {
        "id": job.id,
        "queue": job.queue_name,
        "name": job.name,
        "state": states[job.queue.job_key(job.id)],
        "children": [tree_shape(child, states) for child in node.children],
    }


def scheduler_shape(queue: str, scheduler: JobScheduler) -> dict[str, Any]:
    """A job scheduler."""
    return {
        "id": scheduler.id,
        "queue": queue,
        "name": scheduler.name,
        "next_at": scheduler.next_at,
        "iteration_count": scheduler.iteration_count,
        "every": scheduler.every,
        "cron": scheduler.cron,
        "tz": scheduler.tz,
        "start": scheduler.start,
        "end": scheduler.end,
        "limit": scheduler.limit,
        "data": scheduler.data,
        "options": scheduler.options,
    }


def worker_shape(queue: str, worker: WorkerInfo) -> dict[str, Any]:
    """A worker, as far as its connection tells."""
    return {
        "queue": queue,
        "name": worker.name,
        "address": worker.address,
        "age": worker.age,
        "idle": worker.idle,
    }


#: What a worker tells of itself, beside its queue and its name.
STATUS = (
    *("id", "host", "pid", "version", "health", "slots", "running", "held", "completed", "failed", "rate"),
    *("last_error", "last_error_at", "rss", "loop_lag", "growth", "started_at", "told_at"),
)


def any_worker_shape(queue: str, worker: WorkerStatus | WorkerInfo) -> dict[str, Any]:
    """A worker that tells of itself, or one that is only connected: what is not known of it is null."""
    nothing = {"queue": queue, "name": worker.name, "address": None, "age": None, "idle": None}
    if isinstance(worker, WorkerInfo):
        return {**dict.fromkeys(STATUS), **worker_shape(queue, worker)}
    return {**nothing, **{name: getattr(worker, name) for name in STATUS}}


def event_shape(event: Event) -> dict[str, Any]:
    """An event."""
    return {
        "id": event.id,
        "queue": event.queue_name,
        "event": event.name,
        "at": event.at,
        "job": event.job_id,
        "fields": event.fields,
    }
