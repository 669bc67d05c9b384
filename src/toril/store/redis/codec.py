"""Values of the model as scripts take and answer them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from toril.errors import (
    DuplicateJob,
    FailedChildren,
    JobError,
    JobLocked,
    JobNotFound,
    JobNotInState,
    JobOwnedByScheduler,
    LockLost,
    LockMismatch,
    NoFreeSlot,
    ParentNotFound,
    ParentNotReplaceable,
    PendingChildren,
    SlotTaken,
)
from toril.model.job import Fields, JobRecord
from toril.model.names import QueueRef
from toril.store.values import Claim, Taken

pack: Callable[[object], bytes] = msgspec.msgpack.Encoder().encode

#: Of the scores of delayed jobs. Source: BullMQ 6.7.
SLOTS_PER_MS = 4096

_REFUSALS: dict[int, tuple[type[JobError], str]] = {
    -1: (JobNotFound, "there is no job {id} in queue {queue} ({verb})"),
    -2: (LockLost, "the lock of job {id} in queue {queue} is lost ({verb})"),
    -3: (JobNotInState, "job {id} of queue {queue} is not in the state that {verb} starts from"),
    -4: (PendingChildren, "job {id} of queue {queue} has pending children ({verb})"),
    -5: (
        ParentNotFound,
        "the parent of job {id} does not exist; nothing was added to queue {queue} ({verb})",
    ),
    -6: (LockMismatch, "job {id} of queue {queue} is locked by another worker ({verb})"),
    -7: (ParentNotReplaceable, "job {id} of queue {queue} belongs to another living parent ({verb})"),
    -8: (JobOwnedByScheduler, "job {id} of queue {queue} is the next iteration of a job scheduler ({verb})"),
    -9: (FailedChildren, "job {id} of queue {queue} has failed children ({verb})"),
    -10: (SlotTaken, "another job has the id of the next job of scheduler {id} of queue {queue} ({verb})"),
    -11: (NoFreeSlot, "other jobs have the ids of the next jobs of scheduler {id} of queue {queue} ({verb})"),
    -20: (DuplicateJob, "there is a job {id} in queue {queue} already ({verb})"),
    -21: (JobLocked, "job {id} of queue {queue} is running, it can't be replaced ({verb})"),
    -22: (
        JobNotInState,
        "the parent of job {id} was cancelled while it runs; nothing was added to queue {queue} ({verb})",
    ),
}


def refusal(number: int, verb: str, queue: QueueRef, id: str) -> JobError:
    """The exception for a number that a script refused a job with."""
    kind, text = _REFUSALS.get(number, (JobError, "unknown refusal " + str(number) + " of job {id} ({verb})"))
    message = text.format(id=id, queue=queue.name, verb=verb)
    return kind(message, queue=queue.name, job_id=id, verb=verb)


def accept(number: int, verb: str, queue: QueueRef, id: str) -> int:
    """A number that a script answered, unless it is a refusal.

    Raises:
        JobError: The kind that the number stands for.
    """
    if number < 0:
        raise refusal(number, verb, queue, id)
    return number


def fields_of(flat: Sequence[Any]) -> Fields:
    """A flat list of names and values as a mapping; a later value of a name wins."""
    pairs = iter(flat)
    return dict(zip(pairs, pairs, strict=True))


def text(value: bytes) -> str:
    """A stored text; what is no UTF-8 in it is shown as a replacement character."""
    return value.decode("utf-8", "replace")


def pack_claim(claim: Claim) -> bytes:
    """A claim as the take script reads it; what isn't set is left out."""
    terms: dict[str, Any] = {"token": claim.token, "lock_ms": claim.lock_ms, "count": claim.count}
    if claim.worker:
        terms["worker"] = claim.worker
    if claim.aged:
        terms["aged"] = claim.aged
    if claim.after_success:
        terms["after_success"] = True
    if claim.limit:
        terms["max"], terms["duration"] = claim.limit
    return pack(terms)


def read_taken(queue: QueueRef, reply: Sequence[Any], token: str) -> Taken:
    """What was taken, as records that hold the token they were taken with."""
    jobs = [JobRecord(queue, id.decode(), fields_of(flat), token) for id, flat in reply[0]]
    return Taken(jobs, reply[1], reply[2], closed=reply[3] == 1, more=reply[3] == 2)
