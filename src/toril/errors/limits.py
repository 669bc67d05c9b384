"""What ends a handler from outside, and what keeps a job from being run at all."""

from __future__ import annotations

from asyncio import CancelledError

from toril.errors.jobs import JobError
from toril.errors.steering import Unrecoverable


class JobTimeout(JobError, TimeoutError):
    """The handler ran longer than its ``timeout``; the attempt failed, and others may follow."""


class SoftTimeout(CancelledError):
    """The handler runs longer than its ``soft_timeout``; raised inside it, where it may be caught.

    It is a kind of ``asyncio.CancelledError``: task groups and whatever else is made to be cancelled treat
    it rightly, and ``except Exception`` does not swallow it. What it lets through fails the attempt.
    """


class JobExpired(Unrecoverable):
    """The job waited longer than its ``expires_in``; it was not run."""

    def __init__(self, reason: str = "expired") -> None:
        super().__init__(reason)


class JobCancelled(Unrecoverable):
    """The job was cancelled, by ``Queue.cancel`` or ``Job.cancel``."""

    def __init__(self, reason: str = "cancelled") -> None:
        super().__init__(reason)
