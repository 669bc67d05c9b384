"""What a worker does for job schedulers: add the next job when it takes one, and put lost ones back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from toril.core.repeat import Iteration, RepeatStrategy, head_of, next_match
from toril.errors import OptionError, StoreUnavailable
from toril.model.checks import is_number
from toril.model.job import Fields, JobRecord
from toril.model.names import QueueRef
from toril.model.schedule import Schedule
from toril.model.time_limits import OWN
from toril.store.contract import Store
from toril.store.values import LostIteration, Producer, StoredScheduler

# Pauses between tries when the server does not answer, in seconds.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0

# What is the taken job's own, and not its successor's.
_OWN_OPTIONS = ("jobId", "delay", "timestamp", "prevMillis", "repeatJobKey", "repeat")


class Schedules:
    """The schedulers of a queue, as its workers see to them."""

    def __init__(
        self,
        store: Store,
        queue: QueueRef,
        strategy: RepeatStrategy | None,
        report: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._strategy = strategy
        self._report = report

    async def advance(self, job: JobRecord) -> None:
        """Add the job that comes after this one. A job that runs again adds none.

        Raises:
            TorilError: The schedule can't be read, or the server does not answer.
        """
        opts = job.stored_opts
        plan, repeat = _plan_of(opts)
        count = _count(repeat) + 1
        now_ms = self._store.now_ms()
        if plan is None or job.repeat_job_key is None or plan.is_over(count, now_ms):
            return
        previous = opts.get("prevMillis")
        made = Iteration(
            job.name,
            _successor(opts),
            {**repeat, "count": count},
            now_ms,
            previous if isinstance(previous, int) else 0,
        )
        producer = await self._producer(job.repeat_job_key, job.id, plan, made)
        if producer is not None:
            await self._store.schedulers.advance(self._queue, producer)

    async def advance_patiently(self, job: JobRecord) -> None:
        """``advance``, until the server answers. A schedule that nobody understands must not fail the job."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self.advance(job)
            except StoreUnavailable:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception as error:
                return self._report(error)

    async def _producer(self, scheduler: str, id: str, plan: Schedule, made: Iteration) -> Producer | None:
        """What the next job is made of; ``None`` if a pattern never fires again."""
        plan = plan.with_cron() if self._strategy is None else plan
        due_ms = await next_match(plan, made, self._strategy)
        if plan.pattern is not None and due_ms is None:
            return None
        head = head_of(made.opts, scheduler, made.repeat, due_ms)
        priority = made.opts.get("priority")
        return Producer(
            scheduler,
            id,
            head,
            plan.every_ms or False,
            due_ms if due_ms is not None else False,
            priority if isinstance(priority, int) else 0,
            made.opts.get("lifo") is True,
            _deduplication_id(made.opts) or False,
        )

    async def put_back(self, interval_ms: int, grace_ms: int | None = None) -> list[str]:
        """See to schedulers whose next job is lost; answers their ids.

        Args:
            interval_ms: By one worker in so long; 0 at any time.
            grace_ms: Only what is overdue for so long; ``None`` is the interval.
        """
        return await self._each_lost(interval_ms, grace_ms, self._restore)

    async def dead(self, grace_ms: int) -> list[str]:
        """Ids of schedulers whose next job is lost and should be put back; changes nothing.

        Args:
            grace_ms: Only what is overdue for so long.
        """

        async def has_next(lost: LostIteration) -> bool:
            return await self._next(lost) is not None

        return await self._each_lost(0, grace_ms, has_next)

    async def _each_lost(
        self, interval_ms: int, grace_ms: int | None, see_to: Callable[[LostIteration], Awaitable[bool]]
    ) -> list[str]:
        grace_ms = interval_ms if grace_ms is None else grace_ms
        ids: list[str] = []
        for lost in await self._store.schedulers.lost(self._queue, interval_ms, grace_ms):
            try:
                if await see_to(lost):
                    ids.append(lost.scheduler.id)
            except Exception as error:
                # One schedule that nobody understands must not keep the others from being seen to.
                self._report(error)
        return ids

    async def _restore(self, lost: LostIteration) -> bool:
        """See to one scheduler; whether a job was added."""
        made = await self._next(lost)
        if isinstance(made, Producer):
            return await self._store.schedulers.advance(self._queue, made) is not None
        return made is not None and await self._store.schedulers.put_back(self._queue, lost.scheduler, made)

    async def _next(self, lost: LostIteration) -> Producer | dict[str, Any] | None:
        """The job that a scheduler should have: one to go on with, or the terms of one that is gone."""
        id = f"repeat:{lost.scheduler.id}:{lost.scheduler.due_ms}"
        stored = JobRecord(self._queue, id, lost.scheduler.fields).stored_opts
        if not lost.job and _missed(stored) != "skip":
            return self._terms_again(lost.scheduler, stored)
        return await self._following(lost, id, stored)

    def _terms_again(self, scheduler: StoredScheduler, stored: dict[str, Any]) -> dict[str, Any] | None:
        """The job that is gone, for the time at which it was due; ``None`` if it shall not be."""
        repeat = _repeat_of(scheduler.fields)
        plan, produced = Schedule.from_stored(repeat), repeat["count"]
        at_limit = plan.limit is not None and produced >= plan.limit
        if at_limit or plan.is_over(produced, self._store.now_ms()):
            return None
        due_ms = scheduler.due_ms if plan.pattern is not None else None
        terms = {
            "head": head_of(stored, scheduler.id, repeat, due_ms),
            "priority": stored.get("priority", 0),
            "lifo": stored.get("lifo", False),
        }
        if deid := _deduplication_id(stored):
            terms["deid"] = deid
        return terms

    async def _following(self, lost: LostIteration, id: str, stored: dict[str, Any]) -> Producer | None:
        """The job that comes after one that is done, or that was missed and shall be skipped."""
        scheduler, repeat = lost.scheduler, _repeat_of(lost.scheduler.fields)
        before = JobRecord(self._queue, id, {**lost.job})
        # The counter of the scheduler goes on when it is changed, that of its jobs begins anew.
        count = (_count(_plan_of(before.stored_opts)[1]) or repeat["count"]) + 1
        plan, now_ms = Schedule.from_stored(repeat), self._store.now_ms()
        if plan.is_over(count, now_ms):
            return None
        made = Iteration(
            before.name or scheduler.id,
            _successor(before.stored_opts) if lost.job else stored,
            {**repeat, "count": count},
            now_ms,
            scheduler.due_ms,
        )
        return await self._producer(scheduler.id, id, plan, made)


def is_missed(job: JobRecord, now_ms: int) -> bool:
    """Whether a scheduler's job comes so late that it shall not run: the next one was due already.

    A pattern that is no cron line tells nothing of that; its jobs are run.
    """
    opts = job.stored_opts
    plan, _ = _plan_of(opts)
    due = job.id.rpartition(":")[2]
    # One that was taken in time may run again whenever it likes.
    if job.attempts_started > 1 or _missed(opts) != "skip" or plan is None or not due.isdigit():
        return False
    try:
        following_ms = plan.with_cron().following_ms(int(due))
    except OptionError:
        return False
    return following_ms is not None and following_ms <= now_ms


def _missed(opts: Mapping[str, Any]) -> object:
    own = opts.get(OWN)
    return cast("dict[str, Any]", own).get("missed") if isinstance(own, dict) else None


def _plan_of(opts: Mapping[str, Any]) -> tuple[Schedule | None, dict[str, Any]]:
    repeat = opts.get("repeat")
    if not isinstance(repeat, dict):
        return None, {}
    return Schedule.from_stored(cast("dict[str, Any]", repeat)), cast("dict[str, Any]", repeat)


def _deduplication_id(opts: Mapping[str, Any]) -> str | None:
    """Only jobs of BullMQ's schedulers have one."""
    rule = opts.get("de")
    id = cast("dict[str, Any]", rule).get("id") if isinstance(rule, dict) else None
    return id if isinstance(id, str) else None


def _count(repeat: Mapping[str, Any]) -> int:
    count = repeat.get("count")
    return count if isinstance(count, int) else 0


def _successor(opts: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the job that comes next, as the worker that takes this one stores them."""
    kept = {name: value for name, value in opts.items() if name not in _OWN_OPTIONS}
    if is_number(kept.get("backoff")):
        kept["backoff"] = {"type": "fixed", "delay": kept["backoff"]}
    return {"attempts": 0} | kept


_REPEAT_FIELDS = {
    b"every": "every",
    b"offset": "offset",
    b"startDate": "startDate",
    b"endDate": "endDate",
    b"limit": "limit",
    b"ic": "count",
}


def _repeat_of(fields: Fields) -> dict[str, Any]:
    """The ``repeat`` option of a scheduler's jobs, from the scheduler's own fields."""
    repeat: dict[str, Any] = {"count": 0}
    for field, name in _REPEAT_FIELDS.items():
        if field in fields and bytes(fields[field]).isdigit():
            repeat[name] = int(fields[field])
    for field, name in ((b"pattern", "pattern"), (b"tz", "tz")):
        if field in fields:
            repeat[name] = fields[field].decode("utf-8", "replace")
    if "pattern" in repeat:
        repeat.pop("offset", None)
    return repeat
