"""Steps that report on, change, move or ask a job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.golden.session import Session
from tests.golden.times import duration, instant
from tests.golden.values import JSON, Args, as_mapping
from toril import Job

_Operation = Callable[[Session, Args], Awaitable[JSON]]


async def move_to_delayed(session: Session, args: Args) -> JSON:
    job = (await session.job(args)).job
    await job.move_to_delayed(at=instant(args.integer("timestamp")), token=args.optional_text("token"))
    return None


async def move_to_wait(session: Session, args: Args) -> JSON:
    seconds = await (await session.job(args)).job.move_to_wait(args.optional_text("token"))
    return round(seconds * 1000)


async def move_to_waiting_children(session: Session, args: Args) -> JSON:
    child = args.args("opts").args("child")
    key = f"{child.text('queue')}:{child.text('id')}" if "id" in child else None
    return await (await session.job(args)).job.move_to_waiting_children(
        args.optional_text("token"), child=key
    )


async def retry(session: Session, args: Args) -> JSON:
    options = args.args("opts")
    await (await session.job(args)).job.retry(
        args.text("state", "failed"),
        reset_attempts_made=options.flag("resetAttemptsMade"),
        reset_attempts_started=options.flag("resetAttemptsStarted"),
    )
    return None


async def promote(session: Session, args: Args) -> JSON:
    await (await session.job(args)).job.promote()
    return None


async def change_delay(session: Session, args: Args) -> JSON:
    await (await session.job(args)).job.change_delay(duration(args.raw("delay")))
    return None


async def change_priority(session: Session, args: Args) -> JSON:
    options = args.args("opts")
    job = (await session.job(args)).job
    await job.change_priority(options.raw("priority", 0), lifo=options.flag("lifo"))
    return None


async def update_data(session: Session, args: Args) -> JSON:
    await (await session.job(args)).job.update_data(args.get("data"))
    return None


async def update_progress(session: Session, args: Args) -> JSON:
    await (await session.job(args)).job.update_progress(args.get("progress"))
    return None


async def log(session: Session, args: Args) -> JSON:
    return await (await session.job(args)).job.log(args.text("row"))


async def clear_logs(session: Session, args: Args) -> JSON:
    await (await session.job(args)).job.clear_logs(args.integer("keepLogs", 0))
    return None


async def remove(session: Session, args: Args) -> JSON:
    with_children = args.args("opts").flag("removeChildren", True)
    await (await session.job(args)).job.remove(remove_children=with_children)
    return None


async def extend_lock(session: Session, args: Args) -> JSON:
    job = (await session.job(args)).job
    return int(await job.extend_lock(duration(args.integer("duration")), args.optional_text("token")))


async def is_in_state(session: Session, args: Args) -> JSON:
    return await (await session.job(args)).job.is_in_state(args.text("state"))


async def children_values(session: Session, args: Args) -> JSON:
    return await (await session.job(args)).job.children_values()


async def ignored_failures(session: Session, args: Args) -> JSON:
    return {**await (await session.job(args)).job.ignored_failures()}


_NEXT_CURSORS = {
    "processed": "nextProcessedCursor",
    "unprocessed": "nextUnprocessedCursor",
    "ignored": "nextIgnoredCursor",
    "failed": "nextFailedCursor",
}


async def dependencies(session: Session, args: Args) -> JSON:
    job, asked = (await session.job(args)).job, args.mapping("opts")
    pages = {kind: _page(Args(as_mapping(page))) for kind, page in asked.items()}
    found = await job.dependencies(**pages)
    view: dict[str, JSON] = {_NEXT_CURSORS[kind]: found.next[kind] for kind in pages}
    if "failed" in pages:
        # BullMQ counts on beyond the end of this kind.
        view["nextFailedCursor"] = sum(pages["failed"])
    for kind in pages or _NEXT_CURSORS:
        entries = getattr(found, kind)
        view[kind] = sorted(entries) if kind == "unprocessed" else entries
    return view


def _page(args: Args) -> tuple[int, int]:
    return args.integer("cursor", 0), args.integer("count", 20)


async def dependency_counts(session: Session, args: Args) -> JSON:
    counts = await (await session.job(args)).job.dependency_counts()
    wanted = [kind for kind, asked in args.mapping("opts").items() if asked] or list(counts)
    return {kind: counts[kind] for kind in wanted}


async def wait_until_finished(session: Session, args: Args) -> JSON:
    timeout = duration(args.integer("ttl")) if "ttl" in args else None
    return await (await session.job(args)).job.result(timeout)


def _question(ask: Callable[[Job], Awaitable[JSON]]) -> _Operation:
    async def operation(session: Session, args: Args) -> JSON:
        return await ask((await session.job(args)).job)

    return operation


OPERATIONS: dict[str, _Operation] = {
    "job.changeDelay": change_delay,
    "job.changePriority": change_priority,
    "job.clearLogs": clear_logs,
    "job.extendLock": extend_lock,
    "job.getChildrenValues": children_values,
    "job.getDependencies": dependencies,
    "job.getDependenciesCount": dependency_counts,
    "job.getIgnoredChildrenFailures": ignored_failures,
    "job.getState": _question(Job.state),
    "job.isActive": _question(Job.is_active),
    "job.isCompleted": _question(Job.is_completed),
    "job.isDelayed": _question(Job.is_delayed),
    "job.isFailed": _question(Job.is_failed),
    "job.isInState": is_in_state,
    "job.isWaiting": _question(Job.is_waiting),
    "job.log": log,
    "job.moveToDelayed": move_to_delayed,
    "job.moveToWait": move_to_wait,
    "job.moveToWaitingChildren": move_to_waiting_children,
    "job.promote": promote,
    "job.remove": remove,
    "job.retry": retry,
    "job.updateData": update_data,
    "job.updateProgress": update_progress,
    "job.waitUntilFinished": wait_until_finished,
}
