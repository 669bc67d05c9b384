"""A job and its verbs."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from toril.core.cancelling import cancel_job
from toril.core.connection import Access
from toril.core.family import JobFamily, trace_failure
from toril.core.payload import encode
from toril.core.results import ResultReader, Word
from toril.core.states import check_finished
from toril.errors import (
    JobFailed,
    JobLocked,
    JobNotFound,
    JobRemoved,
    OptionError,
    ResultTimeout,
    StoreUnavailable,
)
from toril.model.cancellation import Cancellation
from toril.model.checks import check_bool, check_int, check_range
from toril.model.draft import MAX_PRIORITY
from toril.model.duration import Duration, datetime_to_ms, to_ms
from toril.store.values import DelayJob, GiveBack, Logs


class Job(JobFamily):
    """A job as it was when it was read, and what can be done with it."""

    __slots__ = ()

    async def refresh(self) -> None:
        """Read the job again.

        Raises:
            JobNotFound: It is gone.
        """
        record = await (await self._open()).store.jobs.get(self.queue, self.id)
        if record is None:
            raise JobNotFound(f"there is no job {self.id}", queue=self.queue.name, job_id=self.id)
        self.take_fields(record.fields)

    async def update_progress(self, progress: Any) -> None:
        """Report progress: any JSON value; listeners of the queue's events are told.

        Raises:
            JobNotFound: The job is gone.
            OptionError: ``progress`` has no JSON form.
        """
        text = encode(progress, "progress")
        await (await self._open()).store.jobs.update_progress(self.queue, self.id, text)
        self.fields[b"progress"] = text
        if self.on_progress is not None:
            self.on_progress(self, progress)

    async def update_data(self, data: Any) -> None:
        """Replace the payload.

        Raises:
            JobNotFound: The job is gone.
            OptionError: ``data`` has no JSON form.
        """
        text = encode(data, "data")
        await (await self._open()).store.jobs.update_data(self.queue, self.id, text)
        self.fields[b"data"] = text

    async def log(self, row: str) -> int:
        """Append a row to the job's log; answers how many rows are kept (see option ``keep_logs``).

        Raises:
            JobNotFound: The job is gone.
        """
        keep = self.stored_opts.get("kl")
        return await (await self._open()).store.jobs.log(self.queue, self.id, log_text(row), keep)

    async def logs(self, start: int = 0, end: int = -1, *, ascending: bool = True) -> Logs:
        """Rows of the job's log, oldest first if ``ascending``; ``end`` is included, -1 is the last."""
        check_range(start, end)
        access = await self._open()
        return await access.store.jobs.logs(self.queue, self.id, start, end, ascending=ascending)

    async def clear_logs(self, keep: int = 0) -> None:
        """Delete the job's log, but for its ``keep`` newest rows."""
        check_int(keep, "keep")
        await (await self._open()).store.jobs.clear_logs(self.queue, self.id, keep)

    async def promote(self) -> None:
        """Let a delayed job wait now.

        Raises:
            JobNotInState: It isn't delayed.
        """
        await (await self._open()).store.jobs.promote(self.queue, self.id)
        self.fields[b"delay"] = 0

    async def change_delay(self, delay: Duration) -> None:
        """Let a delayed job be due so long from now; seconds or timedelta.

        Raises:
            JobNotFound: The job is gone.
            JobNotInState: It isn't delayed.
        """
        delay_ms = to_ms(delay, "delay")
        await (await self._open()).store.jobs.change_delay(self.queue, self.id, delay_ms)
        self.fields[b"delay"] = delay_ms

    async def change_priority(self, priority: int = 0, *, lifo: bool = False) -> None:
        """Give the job another priority; a waiting one moves at once, in front of its equals if ``lifo``.

        Raises:
            JobNotFound: The job is gone.
            OptionError: The priority is not between 0 and 2 097 151.
        """
        check_priority(priority)
        await (await self._open()).store.jobs.change_priority(self.queue, self.id, priority, lifo=lifo)
        self.fields[b"priority"] = priority

    async def retry(
        self,
        state: str = "failed",
        *,
        reset_attempts_made: bool = False,
        reset_attempts_started: bool = False,
    ) -> None:
        """Run a finished job again.

        Args:
            state: The state it must be in: ``failed`` or ``completed``.
            reset_attempts_made: Give it all its attempts again.
            reset_attempts_started: Forget how often it was started.

        Raises:
            JobNotFound: The job is gone.
            JobNotInState: It isn't in ``state``.
        """
        check_finished(state)
        reset = [
            field for field, asked in (("atm", reset_attempts_made), ("ats", reset_attempts_started)) if asked
        ]
        side = "R" if self.stored_opts.get("lifo") else "L"
        await (await self._open()).store.jobs.retry(self.queue, self.id, state, side, reset)
        gone = (b"finishedOn", b"processedOn", b"failedReason" if state == "failed" else b"returnvalue")
        for name in (*gone, *(name.encode() for name in reset)):
            self.fields.pop(name, None)

    async def remove(self, *, remove_children: bool = True) -> None:
        """Remove the job, and its children unless told otherwise.

        Raises:
            JobLocked: It, or one of its children, is running.
            JobOwnedByScheduler: It is the next iteration of a job scheduler.
        """
        store = (await self._open()).store
        if not await store.jobs.remove(self.queue, self.id, with_children=remove_children):
            raise JobLocked(f"job {self.id} is running", queue=self.queue.name, job_id=self.id)

    async def cancel(self, *, children: bool = True) -> Cancellation:
        """Cancel the job: one that waits fails now, the handler of one that runs is told to end.

        It fails with the reason ``cancelled`` and is not tried again; ``on_failure`` holds for its parent.

        Args:
            children: Also cancel all jobs below it that are not done; even if the job itself is.

        Returns:
            What became of the job; a text with a ``note``.

        Raises:
            JobNotFound: The job is gone.
            JobNotInState: It is in no state.
            JobOwnedByScheduler: It is the next iteration of a job scheduler.
        """
        check_bool(children, "children")
        return await cancel_job((await self._open()).store, self.queue, self.id, children=children)

    async def extend_lock(self, duration: Duration, token: str | None = None) -> bool:
        """Hold the job for so long from now; ``False`` if its lock is lost."""
        locks = [(self.id, self._held(token))]
        lost = await (await self._open()).store.jobs.renew(self.queue, locks, to_ms(duration, "duration"))
        return not lost

    async def state(self) -> str:
        """The state it is in now: ``waiting``, ``active``, ... or ``unknown``."""
        return await (await self._open()).store.jobs.state(self.queue, self.id)

    async def is_in_state(self, state: str) -> bool:
        """Whether the job is in this state now."""
        return await self.state() == state

    async def is_completed(self) -> bool:
        """Whether it has completed."""
        return await self.is_in_state("completed")

    async def is_failed(self) -> bool:
        """Whether it has failed for good."""
        return await self.is_in_state("failed")

    async def is_delayed(self) -> bool:
        """Whether it waits for its time."""
        return await self.is_in_state("delayed")

    async def is_active(self) -> bool:
        """Whether a worker runs it."""
        return await self.is_in_state("active")

    async def is_waiting(self) -> bool:
        """Whether it waits for a worker."""
        return await self.is_in_state("waiting")

    async def is_waiting_children(self) -> bool:
        """Whether it waits for its children."""
        return await self.is_in_state("waiting-children")

    async def result(self, timeout: Duration | None = None) -> Any:
        """Wait until the job is finished; answers what its handler returned.

        Args:
            timeout: Seconds or timedelta; ``None`` waits as long as it takes.

        Raises:
            JobFailed: It failed for good.
            JobRemoved: It is gone.
            ResultTimeout: It took longer than ``timeout``; a server that is away is waited for, too.
            StoreUnavailable: The queue was closed meanwhile.
        """
        if timeout is None:
            return await self._await_result()
        seconds = to_ms(timeout, "timeout") / 1000
        try:
            async with asyncio.timeout(seconds):
                return await self._await_result()
        except TimeoutError:
            raise ResultTimeout(
                f"job {self.id} of queue {self.queue.name} took more than {seconds} s"
            ) from None

    async def _await_result(self) -> Any:
        access = await self._open()
        results = access.results_of(self.queue)
        word = results.subscribe(self.id)
        try:
            while not await self._has_finished(access, results, word):
                await word.wait()
                if access.closed and word.event is None:
                    raise StoreUnavailable(f"queue {self.queue.name} was closed while job {self.id} ran")
        finally:
            results.unsubscribe(self.id, word)
        return self.return_value

    async def _has_finished(self, access: Access, results: ResultReader, word: Word) -> bool:
        """Whether the job has completed: by the event that told so, else by a look."""
        before, state = word.event, "completed"
        if before is None or before["event"] != state:
            state = await self._look(access, results, word)
        # An event that comes during a look that was too early for it is left for the next look.
        event = before if state == "unfinished" else word.event
        if event is not None:
            # A job that is removed when it finishes has told its result, but can't be read any more.
            state = event["event"]
            for name in ("returnvalue", "failedReason"):
                if name in event:
                    self.fields[name.encode()] = event[name].encode()
        if state == "failed":
            raise await self._failure(access)
        if state in ("missing", "removed"):
            raise JobRemoved(f"job {self.id} is gone", queue=self.queue.name, job_id=self.id)
        return state == "completed"

    async def _failure(self, access: Access) -> JobFailed:
        reason = self.failed_reason or ""
        try:
            cause = await trace_failure(access.store, reason, self.prefix)
        except StoreUnavailable:
            # That it failed is known; the rest can be read later.
            cause = None
        return JobFailed(
            reason, self.stacktrace, queue=self.queue.name, job_id=self.id, caused_by_child=cause
        )

    async def _look(self, access: Access, results: ResultReader, word: Word) -> str:
        """Read the job and how it ended; a server that is away for a moment has told nothing."""
        if access.closed:
            return "unfinished"
        try:
            state, record, end = await access.store.jobs.outcome(self.queue, self.id)
        except StoreUnavailable:
            return "unfinished"
        if state == "unfinished":
            results.unfinished(word, end)
        if record.fields:
            self.take_fields(record.fields)
        return state

    async def move_to_delayed(
        self, delay: Duration | None = None, *, at: datetime | None = None, token: str | None = None
    ) -> None:
        """Put the running job back to run later; raise ``DelayedError`` afterwards. Not an attempt.

        Args:
            delay: From now, seconds or timedelta.
            at: An aware datetime, instead of ``delay``.

        Raises:
            LockLost: The job is not ours any more.
            JobNotInState: It isn't active.
        """
        access = await self._open()
        delay_ms = delay_until(delay, at, access.store.now_ms())
        await self._move(access, DelayJob(self.id, self._held(token), delay_ms, counts=False))
        self.fields[b"delay"] = delay_ms

    async def move_to_wait(self, token: str | None = None) -> float:
        """Put the running job back in front of the line; raise ``WaitingError`` afterwards. Not an attempt.

        Returns:
            Seconds for which the queue's rate limit lets no job start.
        """
        return await self._move(await self._open(), GiveBack(self.id, self._held(token))) / 1000


def log_text(row: object) -> str:
    """A row of a log. What is no text (lone surrogates) is shown as ``?``: a log must not fail the job."""
    return str(row).encode("utf-8", "replace").decode()


def check_priority(priority: int) -> None:
    """Refuse what is no priority."""
    check_int(priority, "priority", 0, MAX_PRIORITY)


def delay_until(delay: Duration | None, at: datetime | None, now_ms: int) -> int:
    """Milliseconds from now: by a delay, or until an instant."""
    if (delay is None) == (at is None):
        raise OptionError("delay", delay, "give either delay or at")
    if at is not None:
        return max(datetime_to_ms(at, "at") - now_ms, 0)
    return to_ms(delay, "delay") if delay is not None else 0
