"""Two databases that go through the same story: one in batches, one job at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from tests.contract.story import LATEST, Add, Change, Forward, NewPlan, Renew, Report, Settle, Step, Take
from tests.support.clock import START_MS, Clock
from tests.support.database import Database
from toril.core.queue import new_job
from toril.errors import JobError
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.options import resolve
from toril.model.parent import ParentRef
from toril.store.opening import open_store
from toril.store.values import Added, Claim, NewJob, Settled, Settlement, Taken

T = TypeVar("T")
Answer = Any

_PREFIX = "p"
_LOCK_MS = 3_600_000
# Who reports on a job at the same time as others is answered as if he were alone.
_KEEP_LOGS = 2


class World:
    """A database that a story is told to, one job at a time.

    Attributes:
        clock: Its time.
        database: What others see of it.
    """

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.database = Database(url)
        self.store = open_store(url, now_ms=self.clock.now_ms)
        self.jobs = self.store.jobs
        self._held: dict[str, dict[str, str]] = {}
        self._known: list[str] = []
        self._claims = 0
        self._take_the_way()

    def _take_the_way(self) -> None:
        """Have everything done the long way, by which the short ones are measured."""
        vars(self.jobs)["_turns"] = _LongWay()

    def begin(self) -> None:
        """Empty the database and forget all."""
        self.database.empty()
        self.clock.ms = START_MS
        self._held = {}
        self._known = []
        self._claims = 0

    async def close(self) -> None:
        """Leave the server."""
        await self.store.close()
        self.database.close()

    async def carry_out(self, step: Step) -> Answer:
        """Do what a step says; the answer is the same in every world."""
        match step:
            case Add():
                return await self._add(step)
            case Take():
                return self._received(
                    step.queue, await self.take(ref(step.queue), self._claim(step.count, step.limit))
                )
            case Settle():
                return await self._settle(step)
            case Report():
                return await self._report(step)
            case Renew():
                return await self._renew(step)
            case Change():
                return await self._change(ref(step.queue), step)
            case Forward():
                self.clock.forward(step.seconds)
                return None

    # --- what is done in batches elsewhere ---

    async def add(self, queue: QueueRef, jobs: Sequence[NewJob], how: str) -> list[Added | JobError]:
        """Add jobs, one call each."""
        return [(await self.jobs.add_many(queue, [job], atomic=False))[0] for job in jobs]

    async def take(self, queue: QueueRef, claim: Claim) -> Taken:
        """Take one job after the other, until there is none to be had."""
        jobs: list[JobRecord] = []
        taken = Taken()
        for _ in range(claim.count):
            taken = await self.jobs.take(queue, replace(claim, count=1))
            jobs.extend(taken.jobs)
            if not taken.jobs:
                break
        return replace(taken, jobs=jobs)

    async def settle(
        self, queue: QueueRef, settlements: Sequence[Settlement], claim: Claim | None
    ) -> Settled:
        """Settle one job after the other; the last settlement takes."""
        answers: list[int | JobError] = []
        last = Settled([], Taken())
        for number, settlement in enumerate(settlements, 1):
            taking = claim if number == len(settlements) else None
            last = await self.jobs.settle(queue, [settlement], taking, at_ms=self.clock.ms)
            answers.extend(last.answers)
        return Settled(answers, last.taken)

    async def report(self, reports: Sequence[Awaitable[T]]) -> list[T | JobError]:
        """Report one after the other."""
        return [await _or_error(report) for report in reports]

    async def renew(self, queue: QueueRef, locks: Sequence[tuple[str, str]]) -> list[str]:
        """Renew one lock after the other."""
        return [id for lock in locks for id in await self.jobs.renew(queue, [lock], _LOCK_MS)]

    # --- from the plans of a story to calls ---

    async def _add(self, step: Add) -> Answer:
        jobs = [self._new_job(plan) for plan in step.jobs]
        answers = await self.add(ref(step.queue), jobs, step.how)
        self._known.extend(
            ref(step.queue).job_key(answer.id) for answer in answers if isinstance(answer, Added)
        )
        return [_view_added(answer) for answer in answers]

    def _new_job(self, plan: NewPlan) -> NewJob:
        options = dict(plan.options)
        if plan.parent is not None:
            number = len(self._known) - 1 if plan.parent == LATEST else plan.parent
            options["parent"] = _parent(self._known[number] if 0 <= number < len(self._known) else "p:a:gone")
        job = new_job("work", "{}", resolve("work", options, self.clock.ms, 2))
        if plan.waits:
            job.more = {**(job.more if isinstance(job.more, dict) else {}), "waits": True}
        return job

    def _claim(self, count: int, limit: tuple[int, int] | None) -> Claim:
        self._claims += 1
        return Claim(token=f"claim:{self._claims}", lock_ms=_LOCK_MS, count=count, worker="w", limit=limit)

    def _received(self, queue: str, batch: Taken) -> Answer:
        held = self._held.setdefault(queue, {})
        held.update((job.id, job.token) for job in batch.jobs)
        jobs = [(job.id, job.token, plain_fields(job.fields)) for job in batch.jobs]
        return jobs, _rounded(batch.limited_ms), batch.next_due_ms, batch.closed

    async def _settle(self, step: Settle) -> Answer:
        held = self._held.setdefault(step.queue, {})
        targets = _targets(list(held.items())[: step.count], step.odd)
        settlements = [step.verbs[i % len(step.verbs)](*target) for i, target in enumerate(targets)]
        claim = self._claim(step.claim, step.limit) if step.claim else None
        settled = await self.settle(ref(step.queue), settlements, claim)
        for settlement, answer in zip(settlements, settled.answers, strict=True):
            if answer == 0:
                held.pop(settlement.id, None)
        return [_view_number(answer) for answer in settled.answers], self._received(step.queue, settled.taken)

    async def _report(self, step: Report) -> Answer:
        queue = ref(step.queue)
        reports: list[Awaitable[int | None]] = []
        for kind, number, text in step.reports:
            id = self._id(step.queue, number)
            match kind:
                case "progress":
                    reports.append(self.jobs.update_progress(queue, id, text))
                case "data":
                    reports.append(self.jobs.update_data(queue, id, text))
                case _:
                    reports.append(self.jobs.log(queue, id, text, _KEEP_LOGS))
        return [_view_number(answer or 0) for answer in await self.report(reports)]

    async def _renew(self, step: Renew) -> Answer:
        held = list(self._held.get(step.queue, {}).items())[: step.count]
        return await self.renew(ref(step.queue), [*held, ("gone", "claim:0")])

    def _id(self, queue: str, number: int) -> str:
        ids = [key.rpartition(":")[2] for key in self._known if key.startswith(ref(queue).base)]
        return ids[number % len(ids)] if ids else "gone"

    async def _change(self, queue: QueueRef, step: Change) -> Answer:
        return await _CHANGES[step.verb](self, queue, self._id(step.queue, step.job), step.number)


class _LongWay:
    """No turn is taken by the short way."""

    async def take(self, *_: object) -> None:
        return None


class BatchedWorld(World):
    """A database that a story is told to in batches, with short ways where there are some."""

    def _take_the_way(self) -> None:
        self.turns = 0
        turns = vars(self.jobs)["_turns"]
        take = turns.take

        async def counted(*words: Any) -> Taken | None:
            taken = await take(*words)
            self.turns += taken is not None
            return taken

        vars(turns)["take"] = counted

    async def add(self, queue: QueueRef, jobs: Sequence[NewJob], how: str) -> list[Added | JobError]:
        if how == "concurrent":
            return await _all(self.jobs.add(queue, job) for job in jobs)
        return await self.jobs.add_many(queue, jobs, atomic=how == "atomic")

    async def take(self, queue: QueueRef, claim: Claim) -> Taken:
        return await self.jobs.take(queue, claim)

    async def settle(
        self, queue: QueueRef, settlements: Sequence[Settlement], claim: Claim | None
    ) -> Settled:
        return await self.jobs.settle(queue, settlements, claim, at_ms=self.clock.ms)

    async def report(self, reports: Sequence[Awaitable[T]]) -> list[T | JobError]:
        return await _all(reports)

    async def renew(self, queue: QueueRef, locks: Sequence[tuple[str, str]]) -> list[str]:
        return await self.jobs.renew(queue, locks, _LOCK_MS)


def ref(queue: str) -> QueueRef:
    """A queue of the stories."""
    return QueueRef(_PREFIX, queue)


def plain_fields(fields: dict[bytes, Any]) -> dict[str, str]:
    """Fields of a record as texts, whatever the client made of numbers."""
    return {
        key.decode(): value.decode() if isinstance(value, bytes) else str(value)
        for key, value in fields.items()
    }


def _parent(key: str) -> ParentRef:
    queue, _, id = key.rpartition(":")
    return ParentRef(id, queue)


def _targets(held: Sequence[tuple[str, str]], odd: Iterable[tuple[int, str]]) -> list[tuple[str, str]]:
    """Ids and tokens to settle with, some of them wrong."""
    targets = list(held) or [("gone", "claim:0")]
    for position, what in odd:
        id, token = targets[position % len(targets)]
        match what:
            case "stale":
                targets[position % len(targets)] = (id, "claim:0")
            case "unknown":
                targets[position % len(targets)] = ("gone", token)
            case _:
                targets.append((id, token))
    return targets


async def _pause(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    await world.store.queues.pause(queue)


async def _resume(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    await world.store.queues.resume(queue)


async def _limit_concurrency(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    return world.database.command("HSET", queue.base + "meta", "concurrency", number + 1)


async def _limit_rate(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    return world.database.command("HSET", queue.base + "meta", "max", number + 1, "duration", 600_000)


async def _stop_for_a_while(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    await world.store.queues.rate_limit(queue, 600_000)


async def _promote(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    return await _view_call(world.jobs.promote(queue, id))


async def _change_delay(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    return await _view_call(world.jobs.change_delay(queue, id, number))


async def _change_priority(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    return await _view_call(world.jobs.change_priority(queue, id, number, lifo=number == 2))


async def _retry(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    state = "completed" if number else "failed"
    return await _view_call(world.jobs.retry(queue, id, state, "L", ("atm",)))


async def _remove(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    return await _view_call(world.jobs.remove(queue, id, with_children=False))


async def _recover(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    world.database.command("DEL", queue.base + "stalled-check")
    return await world.jobs.recover_stalled(queue, 1, 600_000)


async def _retry_all(world: World, queue: QueueRef, id: str, number: int) -> Answer:
    return await world.store.queues.retry_jobs(queue, "failed" if number else "delayed", 1000, None)


_CHANGES = {
    "pause": _pause,
    "resume": _resume,
    "concurrency": _limit_concurrency,
    "rate": _limit_rate,
    "rate_limit": _stop_for_a_while,
    "promote": _promote,
    "change_delay": _change_delay,
    "change_priority": _change_priority,
    "retry": _retry,
    "remove": _remove,
    "recover": _recover,
    "retry_jobs": _retry_all,
}


async def _or_error(call: Awaitable[T]) -> T | JobError:
    try:
        return await call
    except JobError as error:
        return error


async def _all(calls: Iterable[Awaitable[T]]) -> list[T | JobError]:
    return await asyncio.gather(*(_or_error(call) for call in calls))


async def _view_call(call: Awaitable[Any]) -> Answer:
    answer = await _or_error(call)
    return _view_error(answer) if isinstance(answer, JobError) else answer


def _view_error(error: JobError) -> Answer:
    return type(error).__name__, error.code, error.job_id


def _view_added(answer: Added | JobError) -> Answer:
    if isinstance(answer, JobError):
        return _view_error(answer)
    return answer.id, plain_fields(answer.existing.fields) if answer.existing else None


def _view_number(answer: int | JobError) -> Answer:
    return _view_error(answer) if isinstance(answer, JobError) else _rounded(answer)


def _rounded(number: int) -> int:
    """Time left of a rate limit passes between two worlds; a small number is no such time."""
    return round(number, -5) if number > 1000 else number
