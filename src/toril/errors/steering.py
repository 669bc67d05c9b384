"""What handlers raise to say what shall happen to their job, and what workers fail jobs with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches

from toril.errors.jobs import ChildFailure

# A message names so many names, and so many characters of each.
_MOST_NAMES = 10


_MOST_NAME = 80


class Steer(Exception):
    """Base of what a handler raises to say what shall happen to its job."""


class Unrecoverable(Steer):
    """Fail the job now, whatever attempts are left."""


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
    """Put the job back; its worker, and all workers with a rate limit, start no job of the queue for a while.

    Workers have a rate limit by their own ``limiter`` or by that of the queue. The attempt does not count.

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
