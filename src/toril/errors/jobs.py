"""Errors that concern one job."""

from __future__ import annotations

from dataclasses import dataclass

from toril.errors.general import TorilError


class JobError(TorilError):
    """An operation on one job was refused.

    Attributes:
        queue: Name of the queue.
        job_id: Id of the job.
        verb: What was refused.
        code: BullMQ's number for this refusal, 0 where it has none.
    """

    code = 0

    def __init__(self, message: str, *, queue: str = "", job_id: str = "", verb: str = "") -> None:
        super().__init__(message)
        self.queue = queue
        self.job_id = job_id
        self.verb = verb


class JobNotFound(JobError):
    """There is no such job (any more)."""

    code = -1


class LockLost(JobError):
    """The caller's lock on the job has expired (-2) or belongs to someone else (-6)."""

    code = -2


class LockMismatch(LockLost):
    """Another worker holds the lock of this job."""

    code = -6


class WorkerStopped(JobError):
    """The worker was stopped while it ran the job, and was told to let such jobs fail."""


class JobNotInState(JobError):
    """The job is not in the state this operation starts from."""

    code = -3


class PendingChildren(JobError):
    """A job with pending children can't be completed."""

    code = -4


class ParentNotFound(JobError):
    """The parent named in the options does not exist; nothing was added."""

    code = -5


class ParentNotReplaceable(JobError):
    """The existing job belongs to another living parent."""

    code = -7


class JobOwnedByScheduler(JobError):
    """The next iteration of a job scheduler can't be removed by itself."""

    code = -8


class FailedChildren(JobError):
    """A job with failed children can't be completed."""

    code = -9


class SlotTaken(JobError):
    """Another job has the id that the next job of a job scheduler would have."""

    code = -10


class NoFreeSlot(SlotTaken):
    """Other jobs have the ids that the next 32 jobs of a job scheduler would have."""

    code = -11


class JobLocked(JobError):
    """A worker is running the job (or one of its children) right now."""


class DuplicateJob(JobError):
    """``on_duplicate="raise"``: a job of this id exists; nothing was written."""


class JobFailed(JobError):
    """The job whose result was awaited has failed.

    Attributes:
        reason: What the job failed with.
        stacktrace: One text for each failed attempt, oldest first.
        caused_by_child: The child that made it fail, if that was so.
    """

    def __init__(
        self,
        reason: str,
        stacktrace: list[str],
        *,
        queue: str,
        job_id: str,
        caused_by_child: ChildFailure | None = None,
    ) -> None:
        super().__init__(f"job {job_id} of queue {queue} failed: {reason}", queue=queue, job_id=job_id)
        self.reason = reason
        self.stacktrace = stacktrace
        self.caused_by_child = caused_by_child


class JobRemoved(JobError):
    """The job whose result was awaited is gone; its result can't be known any more."""


@dataclass(frozen=True, slots=True)
class ChildFailure:
    """A child whose failure fails its parent.

    Attributes:
        queue: Its queue with the prefix, ``prefix:name``.
        id: Its id.
        reason: What it failed with; ``None`` if the child is gone.
        cause: The child of its own that made it fail, if that was so.
    """

    queue: str
    id: str
    reason: str | None = None
    cause: ChildFailure | None = None

    @property
    def root(self) -> ChildFailure:
        """The job that failed first."""
        failure = self
        while failure.cause is not None:
            failure = failure.cause
        return failure
