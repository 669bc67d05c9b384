"""What ends a handler from outside, and what keeps a job from being run at all."""

from __future__ import annotations

from toril.errors.jobs import JobError
from toril.errors.steering import Unrecoverable


class JobTimeout(JobError, TimeoutError):
    """The handler ran longer than its ``timeout``; the attempt failed, and others may follow."""


class JobExpired(Unrecoverable):
    """The job waited longer than its ``expires_in``; it was not run."""

    def __init__(self, reason: str = "expired") -> None:
        super().__init__(reason)


class JobCancelled(Unrecoverable):
    """The job was cancelled, by ``Queue.cancel`` or ``Job.cancel``."""

    def __init__(self, reason: str = "cancelled") -> None:
        super().__init__(reason)
