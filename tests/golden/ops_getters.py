"""Steps that look at a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from tests.golden.ops_queue import queue_of
from tests.golden.session import Session
from tests.golden.values import JSON, Args, BadRecording, is_number
from tests.golden.views import job_view
from toril import Job, Queue

_Operation = Callable[[Session, Args], Awaitable[JSON]]

# What BullMQ lists when no state is named, in its order.
_ALL_STATES = ["active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children"]

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
    return sum((await queue_of(session, args).get_job_counts(*args.texts("types"))).values())


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


async def is_paused(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).is_paused()


async def get_meta(session: Session, args: Args) -> JSON:
    meta = await queue_of(session, args).get_meta()
    return {_META_NAMES.get(name, name): value for name, value in meta.items()}


async def get_version(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).get_version()


OPERATIONS: dict[str, _Operation] = {
    "queue.count": _count(Queue.count),
    "queue.getActive": _page(Queue.get_active),
    "queue.getActiveCount": _count(Queue.get_active_count),
    "queue.getCompleted": _page(Queue.get_completed),
    "queue.getCompletedCount": _count(Queue.get_completed_count),
    "queue.getCountsPerPriority": get_counts_per_priority,
    "queue.getDelayed": _page(Queue.get_delayed),
    "queue.getDelayedCount": _count(Queue.get_delayed_count),
    "queue.getFailed": _page(Queue.get_failed),
    "queue.getFailedCount": _count(Queue.get_failed_count),
    "queue.getJob": get_job,
    "queue.getJobCountByTypes": get_job_count_by_types,
    "queue.getJobCounts": get_job_counts,
    "queue.getJobLogs": get_job_logs,
    "queue.getJobState": get_job_state,
    "queue.getJobs": get_jobs,
    "queue.getMeta": get_meta,
    "queue.getPrioritized": _page(Queue.get_prioritized),
    "queue.getPrioritizedCount": _count(Queue.get_prioritized_count),
    "queue.getVersion": get_version,
    "queue.getWaiting": _page(Queue.get_waiting),
    "queue.getWaitingChildren": _page(Queue.get_waiting_children),
    "queue.getWaitingChildrenCount": _count(Queue.get_waiting_children_count),
    "queue.getWaitingCount": _count(Queue.get_waiting_count),
    "queue.isPaused": is_paused,
}
