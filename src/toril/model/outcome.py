"""What a run of a job meant: decided once, from values alone."""

from __future__ import annotations

import traceback
from typing import Any

import msgspec

from toril.errors import (
    AlreadyMoved,
    ChildProcessDied,
    Delay,
    FailedChildren,
    InvalidPayload,
    JobError,
    RateLimit,
    RateLimitError,
    Retry,
    ReturnToWait,
    UnknownJobName,
    Unrecoverable,
    WaitForChildren,
)
from toril.model.job import JobRecord
from toril.model.stack import traceback_text

# A stack longer than this tells nothing more, and is stored with each failed attempt.
_MOST_STACK = 20_000
# Characters of a reason; whoever puts a document into an error wants to see its beginning.
_MOST_REASON = 100_000

# Why a job's children forbid what was to become of it, as BullMQ words it: it is stored, and others read it.
_FAILED_CHILD = "Cannot complete job {id} because it has at least one failed child. "
_BY_CHILDREN = {
    (-4, "finish"): "Job {id} has pending dependencies. moveToFinished",
    (-9, "finish"): _FAILED_CHILD + "moveToFinished",
    (-9, "await children"): _FAILED_CHILD + "moveToWaitingChildren",
}


class Failed(msgspec.Struct, frozen=True):
    """The attempt failed, and no other follows."""

    error: BaseException


class TryAgain(msgspec.Struct, frozen=True):
    """The attempt failed, and another follows: after the job's own backoff, or after ``delay``."""

    error: BaseException
    delay: Any = None


class Later(msgspec.Struct, frozen=True):
    """The handler wants to be called later; not an attempt."""

    steer: Delay


class BackToWait(msgspec.Struct, frozen=True):
    """The job waits again; not an attempt. ``limit`` closes the whole queue for a while."""

    limit: Any = None


class ChildrenFirst(msgspec.Struct, frozen=True):
    """The job waits for its children; not an attempt."""


class LeaveAlone(msgspec.Struct, frozen=True):
    """The handler has moved the job itself."""


class RemoteTraceback(Exception):
    """The traceback of an error that was raised in another process; it is the cause of the error here."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


Outcome = Failed | TryAgain | Later | BackToWait | ChildrenFirst | LeaveAlone


def decide(job: JobRecord, error: BaseException, most_started: int | None = None) -> Outcome:
    """What an error of a handler means for its job.

    Args:
        job: The job that was run.
        error: What its handler raised.
        most_started: No further attempt once it was started so often.

    Source: BullMQ 6.7, worker.
    """
    match error:
        case RateLimit() | RateLimitError() | ReturnToWait():
            return BackToWait(error.duration if isinstance(error, RateLimit) else None)
        case AlreadyMoved():
            return LeaveAlone()
        case Delay():
            return Later(error)
        case WaitForChildren():
            return ChildrenFirst()
        case _:
            if is_final(error) or not may_try_again(job, most_started):
                return Failed(error)
            return TryAgain(error, error.delay if isinstance(error, Retry) else None)


def may_try_again(job: JobRecord, most_started: int | None) -> bool:
    """Whether the job has an attempt left after the one that failed now."""
    if most_started is not None and job.attempts_started >= most_started:
        return False
    return job.attempts_made + 1 < job.attempts


def is_final(error: BaseException) -> bool:
    """Whether no attempt follows this error; by its name, too, for errors that were rebuilt elsewhere."""
    return isinstance(error, Unrecoverable | FailedChildren) or type(error).__name__ == "UnrecoverableError"


def reason_of(error: BaseException) -> str:
    """The text a job fails with: the error's own, or its kind when it says nothing at all.

    Source: what is stored of a job whose children forbid that it is completed, BullMQ 6.7.
    """
    if isinstance(error, JobError) and (error.code, error.verb) in _BY_CHILDREN:
        return _BY_CHILDREN[error.code, error.verb].format(id=error.job_id)
    try:
        text = str(error)
    except Exception:
        return type(error).__name__
    if isinstance(error, SystemExit) and text:
        # A number alone would tell nothing.
        text = f"SystemExit: {text}"
    return _storable(text[:_MOST_REASON]) if text or error.args else type(error).__name__


def stack_of(error: BaseException) -> str:
    """The traceback of an error as text, its end if it is very long."""
    if isinstance(error.__cause__, RemoteTraceback):
        return error.__cause__.text
    try:
        # No handler was called, or it left no traceback: the lines would all be toril's own.
        ours = isinstance(error, ChildProcessDied | InvalidPayload | UnknownJobName)
        text = "".join(traceback.format_exception_only(error)) if ours else traceback_text(error)
    except Exception:
        text = type(error).__name__
    return _storable(text[-_MOST_STACK:])


def with_stack(job: JobRecord, error: BaseException) -> list[str]:
    """The job's stacks with that of this error, as many as the job wants to keep."""
    limit = job.stored_opts.get("stackTraceLimit")
    if not isinstance(limit, int) or isinstance(limit, bool):
        return [*job.stacktrace, stack_of(error)]
    return [*job.stacktrace, stack_of(error)][-limit:] if limit > 0 else []


def _storable(text: str) -> str:
    """Lone surrogates can't be stored; they are shown as question marks."""
    return text.encode("utf-8", "replace").decode()
