"""Steps that remove jobs, whole queues, and what hangs on them."""

from __future__ import annotations

from tests.golden.ops_queue import queue_of
from tests.golden.session import Session
from tests.golden.times import duration
from tests.golden.values import JSON, Args


async def drain(session: Session, args: Args) -> JSON:
    # BullMQ does not say how many.
    await queue_of(session, args).drain(delayed=args.flag("delayed"))
    return None


async def clean(session: Session, args: Args) -> JSON:
    queue, grace = queue_of(session, args), duration(args.integer("grace"))
    ids = await queue.clean(grace, limit=args.integer("limit"), state=args.text("type", "completed"))
    return list(ids)


async def obliterate(session: Session, args: Args) -> JSON:
    options = args.args("opts")
    await queue_of(session, args).obliterate(
        force=options.flag("force"), count=options.integer("count", 1000)
    )
    return None


async def remove_orphans(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).remove_orphans()


async def trim_events(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).trim_events(args.integer("maxLength"))


async def deduplication_job_id(session: Session, args: Args) -> JSON:
    return await queue_of(session, args).get_deduplication_job_id(args.text("id"))


async def remove_deduplication_key(session: Session, args: Args) -> JSON:
    return int(await queue_of(session, args).remove_deduplication_key(args.text("id")))


async def free_deduplication(session: Session, args: Args) -> JSON:
    return await (await session.job(args)).job.remove_deduplication_key()


async def remove_pending_children(session: Session, args: Args) -> JSON:
    await (await session.job(args)).job.remove_unprocessed_children()
    return None


async def untie_child(session: Session, args: Args) -> JSON:
    return await (await session.job(args)).job.remove_child_dependency()


OPERATIONS = {
    "job.removeChildDependency": untie_child,
    "job.removeDeduplicationKey": free_deduplication,
    "job.removeUnprocessedChildren": remove_pending_children,
    "queue.clean": clean,
    "queue.drain": drain,
    "queue.getDeduplicationJobId": deduplication_job_id,
    "queue.obliterate": obliterate,
    "queue.removeDeduplicationKey": remove_deduplication_key,
    "queue.removeOrphanedJobs": remove_orphans,
    "queue.trimEvents": trim_events,
}
