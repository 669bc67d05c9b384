"""Steps that look at a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tests.golden.ops_queue import queue_of
from tests.golden.session import Session
from tests.golden.times import instant
from tests.golden.values import JSON, Args, BadRecording, as_mapping, is_number
from tests.golden.views import job_view
from toril import Dependency, Job, Queue
from toril.model.duration import datetime_to_ms

_Operation = Callable[[Session, Args], Awaitable[JSON]]

# What BullMQ lists when no state is named, in its order.
_ALL_STATES = ["active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children"]

_OUTCOMES = {"missing": -1, "unfinished": 0, "completed": 1, "failed": 2}

_META_NAMES = {"max_len_events": "maxLenEvents"}


def _ids(jobs: Sequence[Job]) -> list[JSON]:
    return [job.id for job in jobs]


async def get_job(session: Session, args: Args) -> JSON:
    job = await queue_of(session, args).get_job(args.text("id"))
    session.hold(args.get("as"), job)
    return None if job is None else job_view(job)


async def get_jobs(session: Session, args: Args) -> JSON:
    start, end = args.integer("start", 0), args.integer("end", -1)
    states = args.texts("types") or _ALL_STATES
    jobs = await queue_of(session, args).get_jobs(states, start, end, ascending=args.flag("asc"))
    return _ids(jobs)


def _page(get: Callable[[Queue, int, int], Awaitable[list[Job]]]) -> _Operation:
    async def operation(session: Session, args: Args) -> JSON:
        return _ids(await get(queue_of(session, args), args.integer("start", 0), args.integer("end", -1)))

    return operation


def _count(get: Callable[[Queue], Awaitable[int]]) -> _Operation:
    async def operation(session: Session, args: Args) -> JSON:
        return await get(queue_of(session, args))

    return operation


async def get_job_counts(session: Session, args: Args) -> JSON:
    return {**await queue_of(session, args).get_job_counts(*args.texts("types"))}


async def get_job_count_by_types(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).get_job_count_by_types(*args.texts("types"))


async def get_delayed_count(session: Session, args: Args) -> JSON:
    before = instant(args.integer("timestamp")) if "timestamp" in args else None
    return await queue_of(session, args).get_delayed_count(before)


async def get_ranges(session: Session, args: Args) -> JSON:
    start, end = args.integer("start", 0), args.integer("end", -1)
    queue = queue_of(session, args)
    return [*await queue.get_ranges(args.texts("types"), start, end, ascending=args.flag("asc"))]


async def get_counts_per_priority(session: Session, args: Args) -> JSON:
    priorities = [_whole(priority) for priority in args.items("priorities")]
    counts = await queue_of(session, args).get_counts_per_priority(priorities)
    return {str(priority): count for priority, count in counts.items()}


def _whole(value: JSON) -> int:
    if not isinstance(value, int) or not is_number(value):
        raise BadRecording(f"{value!r} should be a whole number")
    return value


async def get_job_state(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).get_job_state(args.text("id"))


async def get_job_logs(session: Session, args: Args) -> JSON:
    start, end = args.integer("start", 0), args.integer("end", -1)
    logs = await queue_of(session, args).get_job_logs(
        args.text("id"), start, end, ascending=args.flag("asc", True)
    )
    return {"logs": list(logs.rows), "count": logs.count}


async def get_dependencies(session: Session, args: Args) -> JSON:
    kind = "pending" if args.text("type", "processed") == "pending" else "processed"
    start, end = args.integer("start", 0), args.integer("end", -1)
    found = await queue_of(session, args).get_dependencies(args.text("id"), kind, start, end)
    items: list[JSON] = [
        _dependency(child, kind) for child in sorted(found.items, key=lambda child: child.key)
    ]
    names: list[JSON] = [*sorted(child.job.name for child in found.items if child.job)]
    return {"total": found.total, "items": items, "jobNames": names}


def _dependency(child: Dependency[Job], kind: str) -> dict[str, JSON]:
    if kind == "pending":
        return {"id": child.key}
    return {"id": child.key, "err": child.error} if child.error else {"id": child.key, "v": child.value}


async def is_finished(session: Session, args: Args) -> JSON:
    queue = queue_of(session, args).ref
    outcome, record, _ = await session.store.jobs.outcome(queue, args.text("id"))
    code = _OUTCOMES[outcome]
    if not args.flag("returnValue"):
        return code
    if outcome == "missing":
        # What BullMQ says of it; an outcome of toril has no text.
        return [code, f"Missing key for job {queue.job_key(record.id)}. isFinished"]
    if outcome == "unfinished":
        return [code]
    value = record.fields.get(b"returnvalue" if outcome == "completed" else b"failedReason", b"")
    return [code, value.decode()]


async def get_metrics(session: Session, args: Args) -> JSON:
    kind = "failed" if args.text("type", "completed") == "failed" else "completed"
    start, end = args.integer("start", 0), args.integer("end", -1)
    metrics = await queue_of(session, args).get_metrics(kind, start, end)
    written = datetime_to_ms(metrics.prev_ts, "prev_ts") if metrics.prev_ts else 0
    meta: JSON = {"count": metrics.count, "prevTS": written, "prevCount": metrics.prev_count}
    return {"meta": meta, "data": [*metrics.data], "count": metrics.points}


async def export_prometheus_metrics(session: Session, args: Args) -> JSON:
    given = args.args("labels")
    labels = {name: given.text(name) for name in as_mapping(args.get("labels") or {})}
    return await queue_of(session, args).export_prometheus_metrics(labels)


async def is_paused(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).is_paused()


async def get_meta(session: Session, args: Args) -> JSON:
    meta = await queue_of(session, args).get_meta()
    return {_META_NAMES.get(name, name): value for name, value in meta.items()}


async def get_version(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).get_version()


OPERATIONS: dict[str, _Operation] = {
    "queue.count": _count(Queue.count),
    "queue.exportPrometheusMetrics": export_prometheus_metrics,
    "queue.getActive": _page(Queue.get_active),
    "queue.getActiveCount": _count(Queue.get_active_count),
    "queue.getCompleted": _page(Queue.get_completed),
    "queue.getCompletedCount": _count(Queue.get_completed_count),
    "queue.getCountsPerPriority": get_counts_per_priority,
    "queue.getDelayed": _page(Queue.get_delayed),
    "queue.getDelayedCount": get_delayed_count,
    "queue.getDependencies": get_dependencies,
    "queue.getFailed": _page(Queue.get_failed),
    "queue.getFailedCount": _count(Queue.get_failed_count),
    "queue.getJob": get_job,
    "queue.getJobCountByTypes": get_job_count_by_types,
    "queue.getJobCounts": get_job_counts,
    "queue.getJobLogs": get_job_logs,
    "queue.getJobState": get_job_state,
    "queue.getJobs": get_jobs,
    "queue.getMeta": get_meta,
    "queue.getMetrics": get_metrics,
    "queue.getPrioritized": _page(Queue.get_prioritized),
    "queue.getPrioritizedCount": _count(Queue.get_prioritized_count),
    "queue.getRanges": get_ranges,
    "queue.getVersion": get_version,
    "queue.getWaiting": _page(Queue.get_waiting),
    "queue.getWaitingChildren": _page(Queue.get_waiting_children),
    "queue.getWaitingChildrenCount": _count(Queue.get_waiting_children_count),
    "queue.getWaitingCount": _count(Queue.get_waiting_count),
    "queue.isFinished": is_finished,
    "queue.isPaused": is_paused,
}
