"""Steps that add jobs to a queue and steer it."""

from __future__ import annotations

from typing import Any

from tests.golden.options import job_options
from tests.golden.session import Session
from tests.golden.times import instant
from tests.golden.values import JSON, Args, as_mapping
from toril import Job, JobError, JobSpec, Queue


def queue_of(session: Session, args: Args) -> Queue:
    """The queue that a step names."""
    return session.queue(args.text("queue", "q"))


async def add(session: Session, args: Args) -> JSON:
    queue, options = queue_of(session, args), job_options(args.get("opts"))
    # No data is not the same as null.
    data = (args.get("data"),) if "data" in args else ()
    job = await queue.add(args.raw("name"), *data, **options)
    session.hold(args.get("as"), job)
    return _added(job, args)


async def add_bulk(session: Session, args: Args) -> JSON:
    specs = [Args(as_mapping(entry)) for entry in args.items("jobs")]
    answers = await queue_of(session, args).add_many([_spec(spec) for spec in specs])
    for index, answer in enumerate(answers):
        if "as" in args and isinstance(answer, Job):
            session.hold(f"{args.text('as')}.{index}", answer)
    return [_added(answer, spec) for answer, spec in zip(answers, specs, strict=True)]


def _spec(args: Args) -> JobSpec:
    given: dict[str, Any] = {"data": args.get("data")} if "data" in args else {}
    return JobSpec(args.raw("name"), options=job_options(args.get("opts")), **given)


def _added(answer: Job | JobError, spec: Args) -> JSON:
    """The id that the job got; for a refused one, BullMQ has the number of the refusal there.

    Where the id exists already, toril gives the job that has it. BullMQ's object has the name it was called
    with, so that there is nothing to compare.
    """
    name = answer.name if isinstance(answer, Job) and answer.created else spec.get("name")
    return {"id": answer.id if isinstance(answer, Job) else answer.code, "name": name}


async def pause(session: Session, args: Args) -> JSON:
    await queue_of(session, args).pause()
    return None


async def resume(session: Session, args: Args) -> JSON:
    await queue_of(session, args).resume()
    return None


async def remove(session: Session, args: Args) -> JSON:
    with_children = args.args("opts").flag("removeChildren", True)
    return int(await queue_of(session, args).remove(args.text("id"), remove_children=with_children))


async def retry_jobs(session: Session, args: Args) -> JSON:
    options = args.args("opts")
    before = instant(options.integer("timestamp")) if "timestamp" in options else None
    await queue_of(session, args).retry_jobs(
        options.text("state", "failed"), count=options.integer("count", 1000), before=before
    )
    return None


async def promote_jobs(session: Session, args: Args) -> JSON:
    await queue_of(session, args).promote_jobs(count=args.args("opts").integer("count", 1000))
    return None


async def add_job_log(session: Session, args: Args) -> JSON:
    keep = args.integer("keepLogs") if "keepLogs" in args else None
    return await queue_of(session, args).add_job_log(args.text("id"), args.text("row"), keep_logs=keep)


async def update_job_progress(session: Session, args: Args) -> JSON:
    await queue_of(session, args).update_job_progress(args.text("id"), args.get("progress"))
    return None


OPERATIONS = {
    "queue.add": add,
    "queue.addBulk": add_bulk,
    "queue.addJobLog": add_job_log,
    "queue.pause": pause,
    "queue.promoteJobs": promote_jobs,
    "queue.remove": remove,
    "queue.resume": resume,
    "queue.retryJobs": retry_jobs,
    "queue.updateJobProgress": update_job_progress,
}
