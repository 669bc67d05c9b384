"""A job for blocking code: the same verbs, each waiting for its answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from toril.core.job import Job
from toril.core.portal import Call
from toril.core.told import Flag, Told
from toril.model.cancellation import Cancellation
from toril.model.duration import Duration
from toril.model.job import JobRecord
from toril.store.values import Dependencies, Logs


class BlockingJob(JobRecord):
    """A job whose verbs block; for handlers in threads, and for code without an event loop."""

    __slots__ = ("_call", "_job", "_told")

    def __init__(self, job: Job, call: Call, told: Told | None = None) -> None:
        super().__init__(job.queue, job.id, job.fields, job.token)
        self._job = job
        self._call = call
        self._told = told

    @property
    def created(self) -> bool:
        """Whether the ``add`` that returned it made it."""
        return self._job.created

    @property
    def cancelled(self) -> Flag:
        """In a handler: true once it shall end, since it was cancelled, ran too long, or its worker closes.

        A ``threading.Event`` that can be waited for. Of a job that no handler runs it is never set.
        """
        if self._told is None:
            self._told = Told()
        return self._told.cancelled

    def check_cancelled(self) -> None:
        """In a handler: leave it if it shall end. To be called now and then; don't catch what it raises.

        Raises:
            CancelledError: ``cancelled`` is set.
            SoftTimeout: The handler runs longer than its ``soft_timeout``; raised once, and may be caught.
        """
        if self._told is not None:
            self._told.check()

    def cancel(self, *, children: bool = True) -> Cancellation:
        """Cancel the job; see ``Job.cancel``."""
        return self._call(self._job.cancel(children=children))

    def refresh(self) -> None:
        """Read the job again; see ``Job.refresh``."""
        self._call(self._job.refresh())
        self.take_fields(self._job.fields)

    def update_progress(self, progress: Any) -> None:
        """Report progress; see ``Job.update_progress``."""
        self._call(self._job.update_progress(progress))

    def update_data(self, data: Any) -> None:
        """Replace the payload; see ``Job.update_data``."""
        self._call(self._job.update_data(data))

    def log(self, row: str) -> int:
        """Append a row to the log; see ``Job.log``."""
        return self._call(self._job.log(row))

    def logs(self, start: int = 0, end: int = -1, *, ascending: bool = True) -> Logs:
        """Rows of the log; see ``Job.logs``."""
        return self._call(self._job.logs(start, end, ascending=ascending))

    def clear_logs(self, keep: int = 0) -> None:
        """Delete the log; see ``Job.clear_logs``."""
        self._call(self._job.clear_logs(keep))

    def promote(self) -> None:
        """Let a delayed job wait now; see ``Job.promote``."""
        self._call(self._job.promote())

    def change_delay(self, delay: Duration) -> None:
        """Let a delayed job be due at another time; see ``Job.change_delay``."""
        self._call(self._job.change_delay(delay))

    def change_priority(self, priority: int = 0, *, lifo: bool = False) -> None:
        """Give the job another priority; see ``Job.change_priority``."""
        self._call(self._job.change_priority(priority, lifo=lifo))

    def retry(
        self,
        state: str = "failed",
        *,
        reset_attempts_made: bool = False,
        reset_attempts_started: bool = False,
    ) -> None:
        """Run a finished job again; see ``Job.retry``."""
        self._call(
            self._job.retry(
                state, reset_attempts_made=reset_attempts_made, reset_attempts_started=reset_attempts_started
            )
        )

    def remove(self, *, remove_children: bool = True) -> None:
        """Remove the job; see ``Job.remove``."""
        self._call(self._job.remove(remove_children=remove_children))

    def extend_lock(self, duration: Duration, token: str | None = None) -> bool:
        """Hold the job for so long; see ``Job.extend_lock``."""
        return self._call(self._job.extend_lock(duration, token))

    def state(self) -> str:
        """The state it is in now; see ``Job.state``."""
        return self._call(self._job.state())

    def is_in_state(self, state: str) -> bool:
        """Whether it is in this state now."""
        return self._call(self._job.is_in_state(state))

    def is_completed(self) -> bool:
        """Whether it has completed."""
        return self._call(self._job.is_completed())

    def is_failed(self) -> bool:
        """Whether it has failed for good."""
        return self._call(self._job.is_failed())

    def is_delayed(self) -> bool:
        """Whether it waits for its time."""
        return self._call(self._job.is_delayed())

    def is_active(self) -> bool:
        """Whether a worker runs it."""
        return self._call(self._job.is_active())

    def is_waiting(self) -> bool:
        """Whether it waits for a worker."""
        return self._call(self._job.is_waiting())

    def is_waiting_children(self) -> bool:
        """Whether it waits for its children."""
        return self._call(self._job.is_waiting_children())

    def children_values(self) -> dict[str, Any]:
        """What its completed children returned; see ``Job.children_values``."""
        return self._call(self._job.children_values())

    def ignored_failures(self) -> dict[str, str]:
        """Why children failed that did not fail this job; see ``Job.ignored_failures``."""
        return self._call(self._job.ignored_failures())

    def dependencies(self, **pages: tuple[int, int]) -> Dependencies:
        """Its children, by what became of them; see ``Job.dependencies``."""
        return self._call(self._job.dependencies(**pages))

    def dependency_counts(self) -> dict[str, int]:
        """How many children it has, by what became of them."""
        return self._call(self._job.dependency_counts())

    def remove_child_dependency(self) -> bool:
        """Let its parent go; see ``Job.remove_child_dependency``."""
        return self._call(self._job.remove_child_dependency())

    def remove_unprocessed_children(self) -> None:
        """Remove its children that are neither done nor running."""
        self._call(self._job.remove_unprocessed_children())

    def remove_deduplication_key(self) -> bool:
        """Let its deduplication id be used again; see ``Job.remove_deduplication_key``."""
        return self._call(self._job.remove_deduplication_key())

    def result(self, timeout: Duration | None = None) -> Any:
        """Wait until the job is finished; see ``Job.result``."""
        try:
            return self._call(self._job.result(timeout))
        finally:
            self.take_fields(self._job.fields)

    def move_to_delayed(
        self, delay: Duration | None = None, *, at: datetime | None = None, token: str | None = None
    ) -> None:
        """Put the running job back to run later; see ``Job.move_to_delayed``."""
        self._call(self._job.move_to_delayed(delay, at=at, token=token))

    def move_to_wait(self, token: str | None = None) -> float:
        """Put the running job back in front; see ``Job.move_to_wait``."""
        return self._call(self._job.move_to_wait(token))

    def move_to_waiting_children(self, token: str | None = None, *, child: str | None = None) -> bool:
        """Let the running job wait for its children; see ``Job.move_to_waiting_children``."""
        return self._call(self._job.move_to_waiting_children(token, child=child))

    def wait_for_children(self) -> None:
        """Go on if no child is pending, else leave the handler; see ``Job.wait_for_children``."""
        self._call(self._job.wait_for_children())
