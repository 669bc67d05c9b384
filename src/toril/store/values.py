"""What goes to storage and comes from it: jobs to add, settlements, claims, and answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from toril.errors import JobError
from toril.model.job import Fields, JobRecord


class NewJob(msgspec.Struct, array_like=True):
    """A job to add. Its order is that of the add script.

    Attributes:
        data: JSON text.
        opts: JSON text of the stored options.
        lifo: To the front of the line.
        id: The caller's id, or ``False`` for the next number.
        more: What few jobs have: ties to a parent, deduplication, what to do about a duplicate.
    """

    name: str
    data: str
    opts: str
    timestamp_ms: int
    delay_ms: int
    priority: int
    lifo: bool
    id: str | bool = False
    more: dict[str, Any] | bool = False


#: How many finished jobs to keep (-1 all); for how many seconds, or ``False``; how many go at a time for
#: their age, or ``False``.
Keeping = tuple[int, int | bool, int | bool]


class Finish(msgspec.Struct, array_like=True, tag="finish"):
    """An active job has completed or failed for good.

    Attributes:
        target: ``completed`` or ``failed``.
        value: JSON of the result, or the reason of the failure.
        fields: More fields to write, as a flat list of names and values.
        keep: How many finished jobs to keep.
        points: How many per-minute points of metrics to keep; ``False`` for no metrics.
    """

    id: str
    token: str
    target: str
    value: str
    fields: list[str] | bool = False
    attempts: int = 0
    keep: Keeping = (-1, False, False)
    points: int | bool = False


class RetryNow(msgspec.Struct, array_like=True, tag="retry"):
    """An attempt failed; the job waits again at once, at side ``L`` (the end) or ``R`` (the front)."""

    id: str
    token: str
    side: str = "L"
    fields: list[str] | bool = False


class DelayJob(msgspec.Struct, array_like=True, tag="delay"):
    """The job runs again later; ``counts`` says whether this was an attempt."""

    id: str
    token: str
    delay_ms: int
    counts: bool
    fields: list[str] | bool = False


class GiveBack(msgspec.Struct, array_like=True, tag="wait"):
    """The job waits again, in front; not an attempt. Answers the ms of rate limit left."""

    id: str
    token: str


class AwaitChildren(msgspec.Struct, array_like=True, tag="children"):
    """The job waits for its children. Answers 1, with nothing changed, if none is pending."""

    id: str
    token: str
    child: str | bool = False


Settlement = Finish | RetryNow | DelayJob | GiveBack | AwaitChildren


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes jobs, and on what terms.

    Attributes:
        token: Lock token; unique to one take.
        lock_ms: How long the lock lasts without renewal.
        count: At most so many jobs.
        worker: Name of the worker, if it has one.
        limit: At most so many starts in so many ms, or ``None``.
        aged: So many of them are the oldest of those that others go before for their priority.
        after_success: Take nothing when the last settlement of the same call is refused.
    """

    token: str
    lock_ms: int
    count: int = 1
    worker: str | None = None
    limit: tuple[int, int] | None = None
    aged: int = 0
    after_success: bool = False


class Taken(msgspec.Struct):
    """Jobs that were taken, and why there are not more.

    Attributes:
        limited_ms: The queue's rate limit lets no job start for so long.
        next_due_ms: When the next delayed job is due, in ms since the epoch; 0 if none is known.
        closed: The queue is paused or at its global concurrency.
        more: More are ready, but these are large enough for one answer.
    """

    jobs: list[JobRecord] = msgspec.field(default_factory=list[JobRecord])
    limited_ms: int = 0
    next_due_ms: int = 0
    closed: bool = False
    more: bool = False


class Settled(msgspec.Struct):
    """Answers to settlements, in order: a number, or why it was refused."""

    answers: list[int | JobError]
    taken: Taken


@dataclass(frozen=True, slots=True)
class Renewed:
    """What renewing locks has shown: ids whose lock is lost, and ids of jobs that somebody has cancelled."""

    lost: list[str]
    cancelled: list[str]


class Added(msgspec.Struct, frozen=True):
    """An answer to an add: the job's id, and the stored job where it existed before."""

    id: str
    existing: JobRecord | None = None


class Obliteration(msgspec.Struct, frozen=True, kw_only=True):
    """How far the removal of a whole queue has come.

    Attributes:
        removed: Jobs and schedulers that this step removed.
        remaining: How many are left.
        done: The queue is gone.
        active: Nothing was removed, because jobs are active.
    """

    removed: int = 0
    remaining: int = 0
    done: bool = False
    active: bool = False


@dataclass(frozen=True, slots=True)
class Logs:
    """Rows of a job's log, and how many there are in all."""

    rows: list[str]
    count: int


#: What can become of a child, in the order in which their numbers are read.
CHILD_KINDS = ("processed", "unprocessed", "ignored", "failed")


@dataclass(slots=True)
class Dependencies:
    """Children of a job, or pages of them, by what became of them.

    Attributes:
        processed: Results of completed children, by their keys.
        unprocessed: Keys of children that are not done.
        ignored: Reasons of children that failed without failing the job, by their keys.
        failed: Keys of children whose failure fails the job.
        next: For each kind that was asked for, where its next page begins; 0 when there is none.
    """

    processed: dict[str, Any] = field(default_factory=dict[str, Any])
    unprocessed: list[str] = field(default_factory=list[str])
    ignored: dict[str, str] = field(default_factory=dict[str, str])
    failed: list[str] = field(default_factory=list[str])
    next: dict[str, int] = field(default_factory=dict[str, int])

    def keys(self) -> set[str]:
        """Keys of all of them."""
        return {*self.processed, *self.unprocessed, *self.ignored, *self.failed}


class PendingChild(msgspec.Struct, frozen=True):
    """A child that a job waits for: its key, and its state or ``missing``."""

    key: str
    state: str


class Mark(msgspec.Struct, frozen=True):
    """How far a walk through a state has come; to be handed back to the store that made it.

    Attributes:
        anchors: The last ids that were read.
    """

    position: int
    anchors: tuple[str, ...] = ()


class Child(msgspec.Struct, frozen=True):
    """A child of a job: its key, what is stored with it, and its job unless that is gone."""

    key: str
    value: bytes | None
    job: JobRecord | None


class Children(msgspec.Struct, frozen=True):
    """Some children of a job, and how many there are in all."""

    items: list[Child]
    total: int


class MetricsRecord(msgspec.Struct, frozen=True):
    """Counts of finished jobs as they are stored.

    Attributes:
        count: Jobs in all.
        previous_ms: When the latest point was written, in ms since the epoch.
        previous_count: How many there were before the first job after that.
        kept: How many points are kept.
        points: Those asked for, newest first.
    """

    count: bytes | None
    previous_ms: bytes | None
    previous_count: bytes | None
    kept: int
    points: list[bytes]


class Producer(msgspec.Struct, array_like=True):
    """A scheduler's job that was taken, and what its successor is made of. Its order is that of the script.

    Attributes:
        scheduler: Id of the scheduler.
        id: Id of the job that was taken.
        head: JSON of the successor's options, open at the end.
        every: Interval in ms, or ``False`` for a pattern.
        next_ms: When a pattern fires next, or ``False``.
        deid: Deduplication id that its jobs carry, or ``False``.
    """

    scheduler: str
    id: str
    head: str
    every: int | bool = False
    next_ms: int | bool = False
    priority: int = 0
    lifo: bool = False
    deid: str | bool = False


class StoredScheduler(msgspec.Struct, frozen=True):
    """A job scheduler: when it runs next, and its stored fields."""

    id: str
    due_ms: int
    fields: Fields


class LostIteration(msgspec.Struct, frozen=True):
    """A scheduler whose job is gone or done without a successor, and the fields of that job, if any."""

    scheduler: StoredScheduler
    job: Fields
