"""Job schedulers: made, changed, read and removed through their queue."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Unpack, cast

from toril.core.control import Control
from toril.core.job import Job
from toril.core.payload import byte_length, encode
from toril.core.repeat import Iteration, RepeatStrategy, head_of, next_match
from toril.core.spec import ABSENT, JobSpec
from toril.core.worker.schedules import Schedules
from toril.errors import OptionError
from toril.model.backoff import Backoff
from toril.model.checks import check_bool, check_kind, check_range, check_text
from toril.model.duration import Duration, instant_or_none, to_ms
from toril.model.job import public_options
from toril.model.options import AddOptions, merge, resolve
from toril.model.schedule import Schedule, ScheduleOptions, check_scheduler_id
from toril.model.stored import read_json, read_text, read_whole
from toril.model.time_limits import OWN
from toril.store.values import StoredScheduler

_logger = logging.getLogger(__name__)

_PLAIN = ("type", "delay")
# What would contradict the schedule, or each other job of the same scheduler.
_NOT_IN_TEMPLATES = ("job_id", "on_duplicate", "delay", "at", "timestamp", "parent", "deduplication")

# The first and the last day that each time zone can say.
_FIRST_DAY, _LAST_DAY = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class JobScheduler:
    """A job scheduler as it is stored.

    Attributes:
        id: Its id.
        name: Name of its jobs.
        next_at: When it runs next; the first or the last day there is if it is stored as beyond.
        iteration_count: How many jobs it has made.
        every: Seconds from one run to the next; ``None`` for a cron line.
        cron: Its cron line.
        offset: Phase of ``every``, in seconds.
        data: Payload of its jobs; ``None`` if it has none.
        options: Options of its jobs under BullMQ's public names.
    """

    id: str
    name: str
    next_at: datetime
    iteration_count: int
    every: float | None = None
    cron: str | None = None
    tz: str | None = None
    offset: float | None = None
    start: datetime | None = None
    end: datetime | None = None
    limit: int | None = None
    data: Any = None
    options: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, stored: StoredScheduler) -> JobScheduler:
        """A scheduler from what is stored; what can't be read counts as not given."""
        fields = stored.fields
        every_ms, offset_ms = read_whole(fields.get(b"every")), read_whole(fields.get(b"offset"))
        options = read_json(fields.get(b"opts"))
        return cls(
            id=stored.id,
            name=read_text(fields.get(b"name")) or stored.id,
            next_at=_nearest_instant(stored.due_ms),
            iteration_count=read_whole(fields.get(b"ic")) or 0,
            every=every_ms / 1000 if every_ms is not None else None,
            cron=read_text(fields.get(b"pattern")),
            tz=read_text(fields.get(b"tz")),
            offset=offset_ms / 1000 if offset_ms is not None else None,
            start=instant_or_none(read_whole(fields.get(b"startDate"))),
            end=instant_or_none(read_whole(fields.get(b"endDate"))),
            limit=read_whole(fields.get(b"limit")),
            data=read_json(fields.get(b"data")),
            options=public_options(cast("dict[str, Any]", options)) if isinstance(options, dict) else None,
        )


class Scheduling(Control):
    """A queue's job schedulers.

    Attributes:
        repeat_strategy: Says when patterns fire that are no cron lines.
    """

    default_job_options: AddOptions
    repeat_strategy: RepeatStrategy | None

    async def upsert_job_scheduler(
        self,
        id: str,
        /,
        template: JobSpec | None = None,
        *,
        renew: bool = False,
        **schedule: Unpack[ScheduleOptions],
    ) -> Job | None:
        """Make a job scheduler, or change the one of this id.

        Each of its jobs is added by the worker that takes the one before.

        Any number of processes may do this at the same time, and at each of their starts: one schedule comes
        of it, and a scheduler that is stored just so is left as it is.

        Args:
            id: Its id, without ``:``.
            template: Name, payload and options of its jobs; the name is the scheduler's id by default. No
                ``job_id``, ``delay`` or what else would contradict the schedule.
            renew: Make the next job anew even if nothing has changed, as BullMQ does.
            schedule: See ``ScheduleOptions``.

        Returns:
            Its next job; ``None`` if there is none before its end, or its limit is reached.

        Raises:
            OptionError: Something can't be used; nothing was written.
            SlotTaken: Another job has the id that the next job would have.
        """
        check_scheduler_id(id)
        check_bool(renew, "renew")
        if template is not None:
            check_kind(template, JobSpec, "template", "must be a JobSpec(name, data, options)")
        access = await self._open()
        now_ms = access.store.now_ms()
        plan = Schedule.read(schedule, now_ms, own_strategy=self.repeat_strategy is not None)
        if plan.is_over(plan.done + 1, now_ms):
            return None
        template = template if template is not None else JobSpec(id)
        data = "{}" if template.data is ABSENT else encode(template.data, "data")
        stored, priority, lifo = self._template(template, now_ms, byte_length(data))
        if plan.missed != "once":
            stored[OWN] = {**stored.get(OWN, {}), "missed": plan.missed}
        name = template.name or id
        first = Iteration(name, stored, plan.stored(plan.done + 1), now_ms)
        due_ms = await next_match(plan, first, self.repeat_strategy)
        if plan.pattern is not None and due_ms is None:
            return None
        terms = plan.terms() | {"name": name, "priority": priority, "lifo": lifo, "renew": renew}
        terms |= {"data": data} if data != "{}" else {}
        terms |= {"opts": encode(stored, "options")} if stored else {}
        terms |= {"next": due_ms} if due_ms is not None else {}
        terms["head"] = head_of(stored, id, first.repeat, due_ms)
        job_id = await access.store.schedulers.upsert(self.ref, id, terms)
        if job_id is None:
            return None
        record = await access.store.jobs.get(self.ref, job_id)
        # It may have been taken and done meanwhile, and not been kept.
        return (
            Job.of(record, self._link) if record else Job(self.ref, job_id, {b"name": name}, link=self._link)
        )

    def _template(self, template: JobSpec, now_ms: int, size: int) -> tuple[dict[str, Any], int, bool]:
        """The options of each job as the scheduler keeps them, the jobs' priority and side of the line."""
        options = merge(self.default_job_options, template.options or {})
        for option in _NOT_IN_TEMPLATES:
            if option in options:
                raise OptionError(option, options[option], "is no option of a job scheduler's jobs")
        resolved = resolve(template.name, options, now_ms, size)
        stored = dict(resolved.stored)
        if "attempts" not in options:
            del stored["attempts"]
        backoff = options.get("backoff")
        if isinstance(backoff, Backoff) and backoff.type == "fixed" and len(stored["backoff"]) == len(_PLAIN):
            # As BullMQ keeps a plain delay in templates.
            stored["backoff"] = stored["backoff"]["delay"]
        return stored, resolved.priority, resolved.lifo

    async def get_job_scheduler(self, id: str) -> JobScheduler | None:
        """The job scheduler of this id, or ``None``."""
        check_text(id, "id")
        stored = await (await self._open()).store.schedulers.get(self.ref, id)
        return JobScheduler.of(stored) if stored is not None else None

    async def get_job_schedulers(
        self, start: int = 0, end: int = -1, *, ascending: bool = False
    ) -> list[JobScheduler]:
        """A page of job schedulers, those that run last coming first, unless ``ascending``.

        Args:
            start: From here, counted from 0.
            end: To here, included; -1 is the last.
            ascending: The one that runs next comes first.
        """
        check_range(start, end)
        store = (await self._open()).store
        page = await store.schedulers.page(self.ref, start, end, ascending=ascending)
        return [JobScheduler.of(stored) for stored in page]

    async def get_job_schedulers_count(self) -> int:
        """How many job schedulers the queue has."""
        return await (await self._open()).store.schedulers.count(self.ref)

    async def remove_job_scheduler(self, id: str) -> bool:
        """Remove a job scheduler with its next job; a job that waits for a worker or runs is left.

        Returns:
            Whether there was one.
        """
        check_text(id, "id")
        return await (await self._open()).store.schedulers.remove(self.ref, id)

    async def dead_schedulers(self, *, overdue: Duration = 60) -> list[str]:
        """Ids of job schedulers that will not run again by themselves, because their next job is lost.

        A running worker finds and restores them in the course of its stalled checks. Those that have come to
        their end or their limit are not dead.

        Args:
            overdue: Only those that should have run so long ago; seconds or timedelta.
        """
        return await (await self._schedules()).dead(to_ms(overdue, "overdue"))

    async def restore_schedulers(self, *, overdue: Duration = 60) -> list[str]:
        """Give dead job schedulers their next jobs; answers their ids. See ``dead_schedulers``."""
        return await (await self._schedules()).put_back(0, to_ms(overdue, "overdue"))

    async def _schedules(self) -> Schedules:
        store = (await self._open()).store
        return Schedules(store, self.ref, self.repeat_strategy, _report)


def _report(error: BaseException) -> None:
    _logger.warning("a job scheduler can't be read", extra={"error": str(error)})


def _nearest_instant(ms: int) -> datetime:
    return instant_or_none(ms) or (_LAST_DAY if ms > 0 else _FIRST_DAY)
