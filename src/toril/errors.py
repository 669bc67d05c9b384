"""Every exception of toril.

TorilError
├── OptionError (ValueError)            an option has a wrong name, type, range or unit
├── UnknownBackoff                      a worker has no strategy for a job's type of backoff
├── MissingExtra (ImportError)          an optional package is needed and absent
├── EmbeddedServerError                 the embedded server could not be started
├── StoreError
│   ├── StoreUnavailable (ConnectionError)   no answer from the server
│   ├── StoreMisconfigured              the server answers, but is of no use as it is set up
│   └── ScriptError                     a server script failed in a way it should not
├── JobError                            one job, one queue, a code that BullMQ knows
│   ├── JobNotFound (-1)
│   ├── LockLost (-2, -6)
│   ├── JobNotInState (-3)
│   ├── PendingChildren (-4)
│   ├── ParentNotFound (-5)
│   ├── ParentNotReplaceable (-7)
│   ├── JobOwnedByScheduler (-8)
│   ├── FailedChildren (-9)
│   ├── SlotTaken (-10)
│   │   └── NoFreeSlot (-11)
│   ├── JobLocked                       a running job can't be removed or replaced
│   ├── DuplicateJob                    ``on_duplicate="raise"`` met an existing id
│   ├── JobFailed                       what ``Job.result`` raises for a failed job
│   └── JobRemoved                      what ``Job.result`` raises for a job that is gone
├── ReaderReplaced                      another process reads events under the same name
├── QueueInUse                          a queue with running jobs can't be obliterated
└── ResultTimeout (TimeoutError)        ``Job.result`` waited long enough

Steer                                   raised by a handler to say what shall happen to its job
├── Unrecoverable                       fail now, whatever attempts are left
│   ├── ChildFailed                     a parent that fails because of a child; raised by workers
│   ├── InvalidPayload                  the data do not fit the type that the handler wants
│   └── UnknownJobName                  the worker has no handler for jobs of this name
├── Retry                               fail this attempt, and run again after a delay of your choice
├── Delay                               run again later; does not count as an attempt
├── ReturnToWait                        run again as soon as a slot is free; not an attempt
├── WaitForChildren                     run again when the children are done; not an attempt
├── RateLimit                           stop the whole queue for a while; not an attempt
└── AlreadyMoved                        the handler moved the job itself, with its token
    ├── DelayedError
    ├── WaitingError
    ├── WaitingChildrenError
    └── RateLimitError

``Steer`` is a branch of its own, so that ``except TorilError`` never swallows it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches

# A message names so many names, and so many characters of each.
_MOST_NAMES = 10
_MOST_NAME = 80


class TorilError(Exception):
    """Base of everything toril raises, but for what a handler raises to steer."""


class OptionError(TorilError, ValueError):
    """An option has a wrong name, type, range or unit; nothing was written.

    Attributes:
        option: Name of the option, as the caller spells it.
        value: What was given.
    """

    def __init__(self, option: str, value: object, problem: str) -> None:
        super().__init__(f"{option}={value!r}: {problem}")
        self.option = option
        self.value = value

    @classmethod
    def unknown(cls, option: str, value: object, known: Iterable[str]) -> OptionError:
        """An option nobody knows, with the nearest one that is known."""
        names = sorted(known)
        near = get_close_matches(option, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
        return cls(option, value, f"there is no such option; {hint}")


class UnknownBackoff(TorilError):
    """The job's backoff is of a type that this worker has no strategy for; the job stays as it is."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"there is no backoff strategy {kind!r}; give it to the worker as backoff_strategies"
        )
        self.kind = kind


class MissingExtra(TorilError, ImportError):
    """An optional package is needed here and not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'toril[{extra}]'")
        self.feature = feature
        self.extra = extra


class EmbeddedServerError(TorilError):
    """The embedded server could not be started; the message says why and what to do."""


class StoreError(TorilError):
    """Something between toril and the server went wrong."""


class StoreUnavailable(StoreError, ConnectionError):
    """The server did not answer; what was asked may or may not have been done."""


class StoreMisconfigured(StoreError):
    """The server answers, but can't be used as it is set up (version, password, replica, ...)."""


class ScriptError(StoreError):
    """A server script failed in a way it should not; the message holds the place in its source."""


class JobError(TorilError):
    """An operation on one job was refused.

    Attributes:
        queue: Name of the queue.
        job_id: Id of the job.
        code: BullMQ's number for this refusal, 0 where it has none.
    """

    code = 0

    def __init__(self, message: str, *, queue: str = "", job_id: str = "") -> None:
        super().__init__(message)
        self.queue = queue
        self.job_id = job_id


class JobNotFound(JobError):
    """There is no such job (any more)."""

    code = -1


class LockLost(JobError):
    """The caller's lock on the job has expired (-2) or belongs to someone else (-6)."""

    code = -2


class LockMismatch(LockLost):
    """Another worker holds the lock of this job."""

    code = -6


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


class QueueInUse(TorilError):
    """The queue can't be obliterated now: jobs of it run, or it was resumed meanwhile.

    Attributes:
        queue: Its name.
    """

    def __init__(self, message: str, *, queue: str) -> None:
        super().__init__(message)
        self.queue = queue


class ResultTimeout(TorilError, TimeoutError):
    """The job did not finish within the time given to ``Job.result``; it goes on all the same."""


class ReaderReplaced(TorilError):
    """Another process, or object, has begun to read events under this reader's name; this one has to stop.

    Attributes:
        reader: The name.
    """

    def __init__(self, reader: str, queue: str) -> None:
        super().__init__(f"reader {reader!r} of queue {queue} was started elsewhere; give each its own name")
        self.reader = reader


class Steer(Exception):
    """Base of what a handler raises to say what shall happen to its job."""


class Unrecoverable(Steer):
    """Fail the job now, whatever attempts are left."""


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


class ChildFailed(Unrecoverable):
    """A child failed whose failure fails its parent; the parent was not run.

    Attributes:
        caused_by_child: Which child, and why.
    """

    def __init__(self, message: str, caused_by_child: ChildFailure) -> None:
        super().__init__(message)
        self.caused_by_child = caused_by_child


class InvalidPayload(Unrecoverable):
    """The job's data do not fit the type that its handler wants; the library's own error is the cause."""


class UnknownJobName(Unrecoverable):
    """The worker has handlers by name, and none for this job.

    Attributes:
        name: That of the job.
    """

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name[:_MOST_NAME], names, n=1, cutoff=0.5)
        hint = f"did you mean {_short(near[0])}? " if near else ""
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        listed = ", ".join(_short(each) for each in names[:_MOST_NAMES])
        super().__init__(f"there is no handler for jobs named {_short(name)}; {hint}known are {listed}{more}")
        self.name = name


class Retry(Steer):
    """Count this attempt as failed and run the job again after a delay of your choice.

    Args:
        reason: Kept as the job's failed reason.
        delay: Seconds or timedelta; ``None`` takes the job's own backoff.
    """

    def __init__(self, reason: str = "retry", *, delay: float | timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class Delay(Steer):
    """Run the job again later; the attempt does not count.

    Args:
        delay: Seconds or timedelta from now.
        at: An aware datetime; instead of ``delay``.
    """

    def __init__(self, delay: float | timedelta | None = None, *, at: datetime | None = None) -> None:
        super().__init__("delayed by its handler")
        self.delay = delay
        self.at = at


class ReturnToWait(Steer):
    """Run the job again as soon as a slot is free; the attempt does not count."""


class WaitForChildren(Steer):
    """Run the job again when its children are done; the attempt does not count."""


class RateLimit(Steer):
    """Return the job to wait and start no job of this queue for a while.

    Args:
        duration: Seconds or timedelta.
    """

    def __init__(self, duration: float | timedelta) -> None:
        super().__init__("rate limited by its handler")
        self.duration = duration


class AlreadyMoved(Steer):
    """The handler has moved the job itself, with its token; the worker leaves it alone."""


class DelayedError(AlreadyMoved):
    """After ``job.move_to_delayed(...)`` in a handler; BullMQ's way to steer."""


class WaitingError(AlreadyMoved):
    """After ``job.move_to_wait(...)`` in a handler; BullMQ's way to steer."""


class WaitingChildrenError(AlreadyMoved):
    """After ``job.move_to_waiting_children(...)`` in a handler; BullMQ's way to steer."""


class RateLimitError(AlreadyMoved):
    """After ``queue.rate_limit(...)`` in a handler: the worker returns the job to wait."""


UnrecoverableError = Unrecoverable


def _short(name: str) -> str:
    return repr(name if len(name) <= _MOST_NAME else name[: _MOST_NAME - 3] + "...")
