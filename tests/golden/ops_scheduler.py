"""Steps on job schedulers."""

from __future__ import annotations

from typing import Any

from tests.golden.options import job_options
from tests.golden.session import Session
from tests.golden.times import duration, instant
from tests.golden.values import JSON, Args
from toril import JobScheduler, JobSpec
from toril.core.spec import ABSENT

_KEYWORDS = {
    "pattern": "cron",
    "tz": "tz",
    "limit": "limit",
    "immediately": "immediately",
}
_DURATIONS = {"every": "every", "offset": "offset"}
_INSTANTS = {"startDate": "start", "endDate": "end"}


def _schedule(repeat: Args) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in repeat.all().items():
        if name in _DURATIONS:
            options[_DURATIONS[name]] = duration(repeat.raw(name))
        elif name in _INSTANTS:
            options[_INSTANTS[name]] = instant(repeat.integer(name))
        else:
            options[_KEYWORDS.get(name, name)] = value
    return options


def _template(id: str, args: Args) -> JobSpec:
    return JobSpec(
        args.text("name", id),
        args.get("data") if "data" in args else ABSENT,
        job_options(args.get("opts")),
    )


async def upsert(session: Session, args: Args) -> JSON:
    id = args.text("id")
    queue = session.queue(args.text("queue", "q"))
    # As BullMQ does it: the next job is made anew even when nothing has changed.
    job = await queue.upsert_job_scheduler(
        id, _template(id, args.args("template")), renew=True, **_schedule(args.args("repeat"))
    )
    session.hold(args.get("as"), job)
    return {"id": job.id, "name": job.name} if job is not None else None


def _view(scheduler: JobScheduler) -> dict[str, JSON]:
    template: dict[str, JSON] = {"data": scheduler.data, "opts": _plain(scheduler.options)}
    template = {key: value for key, value in template.items() if value is not None}
    view: dict[str, JSON] = {
        "key": scheduler.id,
        "name": scheduler.name,
        "next": _ms(scheduler.next_at),
        "iterationCount": scheduler.iteration_count,
        "limit": scheduler.limit,
        "tz": scheduler.tz,
        "pattern": scheduler.cron,
        "every": _seconds_in_ms(scheduler.every),
        "offset": _seconds_in_ms(scheduler.offset),
        "startDate": _ms(scheduler.start),
        "endDate": _ms(scheduler.end),
        "template": template or None,
    }
    return {key: value for key, value in view.items() if value is not None}


def _plain(options: Any) -> JSON:
    return dict(options) if options is not None else None


def _ms(at: Any) -> JSON:
    return round(at.timestamp() * 1000) if at is not None else None


def _seconds_in_ms(seconds: float | None) -> JSON:
    return round(seconds * 1000) if seconds is not None else None


async def get(session: Session, args: Args) -> JSON:
    scheduler = await session.queue(args.text("queue", "q")).get_job_scheduler(args.text("id"))
    return _view(scheduler) if scheduler is not None else None


async def get_many(session: Session, args: Args) -> JSON:
    schedulers = await session.queue(args.text("queue", "q")).get_job_schedulers(
        args.integer("start", 0), args.integer("end", -1), ascending=args.flag("asc")
    )
    return [_view(scheduler) for scheduler in schedulers]


async def count(session: Session, args: Args) -> JSON:
    return await session.queue(args.text("queue", "q")).get_job_schedulers_count()


async def remove(session: Session, args: Args) -> JSON:
    return await session.queue(args.text("queue", "q")).remove_job_scheduler(args.text("id"))


OPERATIONS = {
    "queue.getJobScheduler": get,
    "queue.getJobSchedulers": get_many,
    "queue.getJobSchedulersCount": count,
    "queue.removeJobScheduler": remove,
    "queue.upsertJobScheduler": upsert,
}
