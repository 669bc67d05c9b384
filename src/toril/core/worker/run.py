"""Running one job: from the job that was taken to the settlement it comes to."""

from __future__ import annotations

import asyncio
import inspect
import logging
import random
from collections.abc import Callable
from typing import Any

import msgspec

from toril.core.family import trace_failure
from toril.core.job import Job, delay_until
from toril.core.payload import encode
from toril.core.worker.interrupts import Interrupts
from toril.core.worker.limits import within
from toril.core.worker.routes import Call
from toril.core.worker.schedules import is_missed
from toril.core.worker.settings import Settings
from toril.errors import (
    ChildFailed,
    JobCancelled,
    JobError,
    JobExpired,
    JobNotFound,
    JobNotInState,
    LockLost,
    RateLimit,
    RateLimitError,
    StoreError,
    UnknownBackoff,
    Unrecoverable,
)
from toril.model.backoff import from_stored, next_delay_ms
from toril.model.duration import to_ms
from toril.model.keep import resolve_keep
from toril.model.outcome import (
    BackToWait,
    ChildrenFirst,
    Failed,
    Later,
    LeaveAlone,
    Outcome,
    TryAgain,
    decide,
    reason_of,
    with_stack,
)
from toril.model.time_limits import is_expired, may_have_own
from toril.store.contract import Store
from toril.store.values import AwaitChildren, DelayJob, Finish, GiveBack, RetryNow, Settlement

_logger = logging.getLogger(__name__)

#: A strategy that answers this wants no further attempt, as in BullMQ; ``None`` says the same.
_STOP = -1
# Types that mean the same everywhere; a worker's own strategy can't change them.
_BUILT_IN = ("fixed", "exponential")


class Settling(msgspec.Struct):
    """A job that was run, and what shall become of it.

    Attributes:
        settlement: The transition to make; ``None`` if the handler made it itself.
        result: What the handler returned, if it did.
        error: What it raised, if it did.
        at_ms: When the transition was made.
        limited: Whether the handler has met a rate limit: its worker takes no job until that is over. The
            worker alone knows, if neither it nor the queue has a limit by which a take would be refused.
    """

    job: Job
    settlement: Settlement | None
    result: Any = None
    error: BaseException | None = None
    at_ms: int = 0
    limited: bool = False

    def fails_by(self, refusal: JobError) -> bool:
        """Whether the attempt fails because its success was refused. A job of others can't even fail."""
        is_ours = not isinstance(refusal, LockLost | JobNotFound | JobNotInState)
        return is_ours and (self.error is None or isinstance(self.settlement, AwaitChildren))


class Runner:
    """Runs jobs with the user's function. It never raises what the function raises.

    Attributes:
        interrupts: By which what runs can be told to end.
    """

    def __init__(self, call: Call | None, settings: Settings, store: Store) -> None:
        self._call = call
        self._settings = settings
        self._store = store
        self._rules = settings.time_rules
        self.interrupts: Interrupts = Interrupts(max(settings.cancel_grace, settings.longest_end))
        self._calls, self._reasons = self.interrupts.calls, self.interrupts.reasons
        self._keep_completed = settings.keep_completed.wire
        self._points = settings.metrics_points or False

    async def run(self, job: Job, stopping: Callable[[], bool] | None = None) -> Settling:
        """Run a job; answers what shall become of it.

        Args:
            stopping: Whether a cancellation is meant for the run, and not the handler's own doing; by
                default whether the task was cancelled.

        Raises:
            CancelledError: The run was cancelled.
        """
        fields, most = job.fields, self._settings.max_started_attempts
        has_own = may_have_own(fields)
        if has_own or b"defa" in fields or b"rjk" in fields or most is not None or self._reasons:
            settling = await self._without_running(job, most)
            if settling is not None:
                return settling
        limit = self._rules.of(job) if has_own or self._rules.any else None
        assert self._call is not None, "a worker without a handler runs nothing"
        self._calls.add(job)
        try:
            called = self._call.run(job)
            result = await (called if limit is None else within(limit, called, job, self.interrupts))
            settling = self.completed(job, result)
        except BaseException as error:
            self._calls.discard(job)
            return await self._raised(job, error, stopping)
        self._calls.discard(job)
        reason = self.interrupts.reason(job) if self._reasons else None
        return settling if reason is None else await self.after_error(job, reason)

    async def _without_running(self, job: Job, most_started: int | None) -> Settling | None:
        """What becomes of a job that is not to be run; ``None`` for one that is."""
        if b"defa" in job.fields:
            return await self.after_error(job, await self._deferred(job))
        if most_started is not None and job.attempts_started > most_started:
            return await self.after_error(job, Unrecoverable("job started more than allowable limit"))
        if is_expired(job, self._store.now_ms()):
            return await self.after_error(job, JobExpired())
        if b"rjk" in job.fields and await self._is_missed(job):
            return self.completed(job, None)
        if job in self._reasons:
            return await self.after_error(job, self._reasons.pop(job))
        return None

    async def _raised(self, job: Job, error: BaseException, stopping: Callable[[], bool] | None) -> Settling:
        """The handler raised, by itself or because it was told to end."""
        if isinstance(error, GeneratorExit) and not _loop_runs():
            # The coroutine is thrown away with its loop.
            raise error
        reason = self.interrupts.reason(job)
        if reason is not None:
            # Where it was when it was told.
            reason.__cause__ = error
        elif isinstance(error, asyncio.CancelledError) and _is_meant(stopping):
            raise error
        return await self.after_error(job, error if reason is None else reason, stopping)

    async def _deferred(self, job: Job) -> Unrecoverable:
        """What the job has to fail with instead of being run."""
        reason = job.deferred_failure or ""
        if reason == str(JobCancelled()):
            return JobCancelled()
        try:
            cause = await trace_failure(self._store, reason, job.prefix)
        except StoreError:
            # The cause is for those who look; the job fails with or without it.
            cause = None
        return ChildFailed(reason, cause) if cause is not None else Unrecoverable(reason)

    async def _is_missed(self, job: Job) -> bool:
        """Whether a scheduler's job comes too late to be run; its log says so."""
        if not is_missed(job, self._store.now_ms()):
            return False
        try:
            await job.log("skipped: the next run of the job scheduler was due before this one was taken")
        except (StoreError, JobError):
            _logger.warning("a log row was lost", extra={"queue": job.queue_name, "job_id": job.id})
        return True

    def completed(self, job: Job, result: Any) -> Settling:
        """The handler returned.

        Raises:
            OptionError: The result has no JSON form.
        """
        text = "null" if result is None else encode(result, "result")
        keep = self._keep_completed
        if b"removeOnComplete" in job.fields.get(b"opts", b""):
            wanted = job.stored_opts.get("removeOnComplete")
            keep = resolve_keep(wanted, self._settings.remove_on_complete).wire
        return Settling(
            job, Finish(job.id, job.token, "completed", text, False, 0, keep, self._points), result
        )

    async def after_error(
        self, job: Job, error: BaseException, stopping: Callable[[], bool] | None = None
    ) -> Settling:
        """The handler raised, or its success was refused.

        Args:
            stopping: As in ``run``.

        Raises:
            CancelledError: The run was cancelled, while a backoff strategy was asked.
        """
        try:
            outcome = decide(job, error, self._settings.max_started_attempts)
            settlement = await self._settlement(job, outcome)
            limited = isinstance(error, RateLimit | RateLimitError) and isinstance(settlement, GiveBack)
            return Settling(job, settlement, error=error, limited=limited)
        except UnknownBackoff as unknown:
            return Settling(job, None, error=unknown)
        except (Exception, asyncio.CancelledError) as unusable:
            if isinstance(unusable, asyncio.CancelledError) and stopping is not None and stopping():
                raise
            # A steer that can't be followed, or a backoff strategy that raises: no attempt can follow.
            unusable.__cause__ = error
            return Settling(job, self._failed(job, unusable), error=unusable)

    async def _settlement(self, job: Job, outcome: Outcome) -> Settlement | None:
        match outcome:
            case Failed(error):
                return self._failed(job, error)
            case TryAgain(error, delay):
                return await self._again(job, error, delay)
            case Later(steer):
                delay_ms = delay_until(steer.delay, steer.at, self._store.now_ms())
                return DelayJob(job.id, job.token, delay_ms, counts=False)
            case BackToWait(limit):
                if limit is not None:
                    await self._limit(job, max(to_ms(limit, "duration"), 1))
                return GiveBack(job.id, job.token)
            case ChildrenFirst():
                return AwaitChildren(job.id, job.token)
            case LeaveAlone():
                return None

    async def _limit(self, job: Job, duration_ms: int) -> None:
        try:
            await self._store.queues.rate_limit(job.queue, duration_ms)
        except StoreError:
            # The job itself must not suffer; it meets the same wall again when it runs again.
            _logger.warning(
                "a rate limit could not be set", extra={"queue": job.queue_name, "job_id": job.id}
            )

    def _failed(self, job: Job, error: BaseException) -> Finish:
        reason = reason_of(error)
        keep = resolve_keep(job.stored_opts.get("removeOnFail"), self._settings.remove_on_fail)
        fields = _failure_fields(job, error)
        return Finish(job.id, job.token, "failed", reason, fields, job.attempts, keep.wire, self._points)

    async def _again(self, job: Job, error: BaseException, delay: Any) -> Settlement:
        """Another attempt, unless a custom backoff says that there shall be none."""
        delay_ms = await self._backoff(job, error) if delay is None else to_ms(delay, "delay")
        if delay_ms is None:
            return self._failed(job, error)
        fields = _failure_fields(job, error)
        if delay_ms > 0:
            return DelayJob(job.id, job.token, delay_ms, counts=True, fields=fields)
        return RetryNow(job.id, job.token, "R" if job.stored_opts.get("lifo") else "L", fields)

    async def _backoff(self, job: Job, error: BaseException) -> int | None:
        """Milliseconds until the next attempt; ``None`` for no attempt."""
        backoff = from_stored(job.stored_opts.get("backoff"))
        if backoff is None:
            return 0
        made = job.attempts_made + 1
        strategies = self._settings.backoff_strategies
        strategy = strategies.get(backoff.type) or strategies.get("*")
        if strategy is None or backoff.type in _BUILT_IN:
            delay_ms = next_delay_ms(backoff, made, random.random)
            if delay_ms is None:
                raise UnknownBackoff(backoff.type)
            return delay_ms
        answer = strategy(made, backoff.type, error, job)
        seconds = await answer if inspect.isawaitable(answer) else answer
        return (
            None
            if seconds is None or seconds == _STOP
            else to_ms(seconds, f"backoff strategy {backoff.type}")
        )


def _loop_runs() -> bool:
    try:
        return asyncio.get_running_loop().is_running()
    except RuntimeError:
        return False


def _is_meant(stopping: Callable[[], bool] | None) -> bool:
    if stopping is not None:
        return stopping()
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failure_fields(job: Job, error: BaseException) -> list[str]:
    stacks = msgspec.json.encode(with_stack(job, error)).decode()
    return ["failedReason", reason_of(error), "stacktrace", stacks]
