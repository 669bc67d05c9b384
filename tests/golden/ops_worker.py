"""Steps of a worker: taking, processing and settling jobs."""

from __future__ import annotations

from typing import Any

from tests.golden.errors import recorded_error
from tests.golden.session import Held, Session
from tests.golden.times import duration
from tests.golden.values import JSON, Args, as_mapping
from tests.golden.views import batch_view, job_view, next_job
from toril import Batch, Job, Worker

# The name by which the steps of a handler call the job that is processed.
_CURRENT = "$job"


async def fetch(session: Session, args: Args) -> JSON:
    worker = session.worker(args)
    job = await worker.get_next_job(args.optional_text("token"), block=False)
    session.hold(args.get("as"), job, worker)
    view = None if job is None else job_view(job)
    return {"job": view, "errors": [*session.errors]} if session.errors else view


async def complete(session: Session, args: Args) -> JSON:
    held = await session.job(args)
    token, fetch_next = args.optional_text("token"), args.flag("fetchNext")
    settle = session.settler(held).complete
    batch = await settle(held.job, args.get("result"), token=token, fetch_next=fetch_next)
    return _settled(session, args, held, batch)


async def fail(session: Session, args: Args) -> JSON:
    held, error = await session.job(args), recorded_error(args.args("error"))
    token, fetch_next = args.optional_text("token"), args.flag("fetchNext")
    batch = await session.settler(held).fail(held.job, error, token=token, fetch_next=fetch_next)
    return _settled(session, args, held, batch)


def _settled(session: Session, args: Args, held: Held, batch: Batch) -> JSON:
    session.hold(args.get("nextAs"), next_job(batch), held.worker)
    return batch_view(batch) if args.flag("fetchNext") else None


async def process(session: Session, args: Args) -> JSON:
    held, worker = await session.job(args), session.worker(args)
    session.handler = _handler(session, worker, args.args("processor"))
    try:
        batch = await worker.process(
            _with_token(held.job, args.optional_text("token")), fetch_next=args.flag("fetchNext")
        )
    finally:
        session.handler = None
    job = next_job(batch)
    session.hold(args.get("nextAs"), job, worker)
    return {"next": None if job is None else job.id, "errors": [*session.errors]}


def _with_token(job: Job, token: str | None) -> Job:
    """The job as the holder of this token has it."""
    if token is None or token == job.token:
        return job
    return Job(job.queue, job.id, job.fields, link=job.link, token=token)


def _handler(session: Session, worker: Worker, processor: Args) -> Any:
    async def handle(job: Job) -> JSON:
        session.hold(_CURRENT, job, worker)
        for step in processor.items("steps"):
            await session.perform(session, as_mapping(step))
        if "throw" in processor:
            raise recorded_error(processor.args("throw"))
        return processor.get("return")

    return handle


async def check_stalled(session: Session, args: Args) -> JSON:
    return [*sorted(await session.worker(args).check_stalled())]


async def extend_locks(session: Session, args: Args) -> JSON:
    lost = await session.worker(args).extend_locks(
        args.texts("ids"), args.texts("tokens"), duration(args.integer("duration"))
    )
    return [*lost]


async def pause(session: Session, args: Args) -> JSON:
    await session.worker(args).pause()
    return None


async def resume(session: Session, args: Args) -> JSON:
    await session.worker(args).resume()
    return None


OPERATIONS = {
    "job.complete": complete,
    "job.fail": fail,
    "worker.checkStalled": check_stalled,
    "worker.extendLocks": extend_locks,
    "worker.fetch": fetch,
    "worker.pause": pause,
    "worker.process": process,
    "worker.resume": resume,
}
