"""What the core asks of storage, in values of the model.

Every call is one atomic step on the server, or, where it takes many, one atomic step for each of them in
order. The queue is an argument: one store serves all queues. Callers pass delays, the store stamps times.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from toril.errors import JobError
from toril.model.job import Fields, JobRecord
from toril.model.names import QueueRef
from toril.model.stream import Look, Place, StreamId


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


class Finish(msgspec.Struct, array_like=True, tag="finish"):
    """An active job has completed or failed for good.

    Attributes:
        target: ``completed`` or ``failed``.
        value: JSON of the result, or the reason of the failure.
        fields: More fields to write, as a flat list of names and values.
        keep: How many to keep (-1 all); for how many seconds, or ``False``; how many go at a time for their
            age, or ``False``.
        points: How many per-minute points of metrics to keep; ``False`` for no metrics.
    """

    id: str
    token: str
    target: str
    value: str
    fields: list[str] | bool = False
    attempts: int = 0
    keep: tuple[int, int | bool, int | bool] = (-1, False, False)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who takes jobs, and on what terms.

    Attributes:
        token: Lock token; unique to one take.
        lock_ms: How long the lock lasts without renewal.
        count: At most so many jobs.
        worker: Name of the worker, if it has one.
        limit: At most so many starts in so many ms, or ``None``.
        after_success: Take nothing when the last settlement of the same call is refused.
    """

    token: str
    lock_ms: int
    count: int = 1
    worker: str | None = None
    limit: tuple[int, int] | None = None
    after_success: bool = False


@dataclass(slots=True)
class Taken:
    """Jobs that were taken, and why there are not more.

    Attributes:
        limited_ms: The queue's rate limit lets no job start for so long.
        next_due_ms: When the next delayed job is due, in ms since the epoch; 0 if none is known.
        closed: The queue is paused or at its global concurrency.
    """

    jobs: list[JobRecord] = field(default_factory=list[JobRecord])
    limited_ms: int = 0
    next_due_ms: int = 0
    closed: bool = False


@dataclass(slots=True)
class Settled:
    """Answers to settlements, in order: a number, or why it was refused."""

    answers: list[int | JobError]
    taken: Taken


@dataclass(frozen=True, slots=True)
class Added:
    """An answer to an add: the job's id, and the stored job where it existed before."""

    id: str
    existing: JobRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obliteration:
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


@dataclass(frozen=True, slots=True)
class PendingChild:
    """A child that a job waits for: its key, and its state or ``missing``."""

    key: str
    state: str


class JobStore(Protocol):
    """Jobs, one by one and many at a time."""

    async def add(self, queue: QueueRef, job: NewJob) -> Added: ...
    async def add_many(
        self, queue: QueueRef, jobs: Sequence[NewJob], *, atomic: bool
    ) -> list[Added | JobError]: ...
    async def add_tree(
        self, queue: QueueRef, jobs: Sequence[NewJob], parents: Sequence[str], *, strict: bool
    ) -> list[Added | JobError]: ...
    async def take(self, queue: QueueRef, claim: Claim, *, again: bool = False) -> Taken: ...
    async def settle(
        self,
        queue: QueueRef,
        settlements: Sequence[Settlement],
        claim: Claim | None,
        *,
        at_ms: int,
        again: bool = False,
    ) -> Settled: ...
    async def recover_stalled(self, queue: QueueRef, most_stalled: int, interval_ms: int) -> list[str]: ...
    async def renew(self, queue: QueueRef, locks: Sequence[tuple[str, str]], lock_ms: int) -> list[str]: ...
    async def get(self, queue: QueueRef, id: str) -> JobRecord | None: ...
    async def state(self, queue: QueueRef, id: str) -> str: ...
    async def outcome(self, queue: QueueRef, id: str) -> tuple[str, JobRecord]: ...
    async def update_data(self, queue: QueueRef, id: str, data: str) -> None: ...
    async def update_progress(self, queue: QueueRef, id: str, progress: str) -> None: ...
    async def log(self, queue: QueueRef, id: str, row: str, keep: int | None) -> int: ...
    async def logs(self, queue: QueueRef, id: str, first: int, last: int, *, ascending: bool) -> Logs: ...
    async def clear_logs(self, queue: QueueRef, id: str, keep: int) -> None: ...
    async def promote(self, queue: QueueRef, id: str) -> None: ...
    async def change_delay(self, queue: QueueRef, id: str, delay_ms: int) -> None: ...
    async def change_priority(self, queue: QueueRef, id: str, priority: int, *, lifo: bool) -> None: ...
    async def retry(self, queue: QueueRef, id: str, state: str, side: str, reset: Sequence[str]) -> None: ...
    async def remove(self, queue: QueueRef, id: str, *, with_children: bool) -> bool: ...


class FamilyStore(Protocol):
    """Parents and their children."""

    async def dependencies(
        self, queue: QueueRef, id: str, pages: Mapping[str, tuple[int, int]] | None = None
    ) -> Dependencies: ...
    async def dependency_counts(self, queue: QueueRef, id: str) -> dict[str, int]: ...
    async def children_values(self, queue: QueueRef, id: str) -> dict[str, bytes]: ...
    async def ignored_failures(self, queue: QueueRef, id: str) -> dict[str, str]: ...
    async def waiting_parents(self, queue: QueueRef, first: int, last: int) -> list[str]: ...
    async def pending_children(
        self, queue: QueueRef, ids: Sequence[str]
    ) -> list[list[PendingChild] | None]: ...


class Producer(msgspec.Struct, array_like=True):
    """A scheduler's job that was taken, and what its successor is made of. Its order is that of the script.

    Attributes:
        scheduler: Id of the scheduler.
        id: Id of the job that was taken.
        head: JSON of the successor's options, open at the end.
        every: Interval in ms, or ``False`` for a pattern.
        next_ms: When a pattern fires next, or ``False``.
    """

    scheduler: str
    id: str
    head: str
    every: int | bool = False
    next_ms: int | bool = False
    priority: int = 0
    lifo: bool = False


@dataclass(frozen=True, slots=True)
class StoredScheduler:
    """A job scheduler: when it runs next, and its stored fields."""

    id: str
    due_ms: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class LostIteration:
    """A scheduler whose job is gone or done without a successor, and the fields of that job, if any."""

    scheduler: StoredScheduler
    job: Fields


class SchedulerStore(Protocol):
    """Job schedulers."""

    async def upsert(self, queue: QueueRef, id: str, terms: Mapping[str, Any]) -> str: ...
    async def get(self, queue: QueueRef, id: str) -> StoredScheduler | None: ...
    async def page(
        self, queue: QueueRef, first: int, last: int, *, ascending: bool
    ) -> list[StoredScheduler]: ...
    async def count(self, queue: QueueRef) -> int: ...
    async def remove(self, queue: QueueRef, id: str) -> bool: ...
    async def advance(self, queue: QueueRef, producer: Producer) -> str | None: ...
    async def lost(self, queue: QueueRef, interval_ms: int, grace_ms: int) -> list[LostIteration]: ...
    async def put_back(self, queue: QueueRef, lost: StoredScheduler, made: Mapping[str, Any]) -> bool: ...


class QueueStore(Protocol):
    """Whole queues."""

    async def announce(self, queue: QueueRef, max_events: int) -> None: ...
    async def meta(self, queue: QueueRef) -> dict[str, str]: ...
    async def pause(self, queue: QueueRef) -> None: ...
    async def resume(self, queue: QueueRef) -> None: ...
    async def is_paused(self, queue: QueueRef) -> bool: ...
    async def counts(self, queue: QueueRef, states: Sequence[str]) -> list[int]: ...
    async def counts_per_priority(self, queue: QueueRef, priorities: Sequence[int]) -> list[int]: ...
    async def page(
        self, queue: QueueRef, states: Sequence[str], first: int, last: int, *, ascending: bool
    ) -> list[JobRecord]: ...
    async def retry_jobs(self, queue: QueueRef, state: str, count: int, before_ms: int | None) -> int: ...
    async def rate_limit(self, queue: QueueRef, duration_ms: int) -> None: ...


class RemovalStore(Protocol):
    """What removes many jobs, or keys beside them; all but ``obliterate`` take as many calls as they need."""

    async def drain(self, queue: QueueRef, *, delayed: bool) -> int: ...
    async def clean(self, queue: QueueRef, state: str, before_ms: int, limit: int) -> list[str]: ...
    async def obliterate(
        self, queue: QueueRef, count: int, *, force: bool, everything: bool
    ) -> Obliteration | None:
        """One step; ``None`` if the queue isn't paused."""
        ...

    async def remove_traces(self, queue: QueueRef, *, everything: bool) -> None: ...
    async def remove_orphans(self, queue: QueueRef, count: int, limit: int) -> int: ...
    async def remove_pending_children(self, queue: QueueRef, id: str) -> None: ...
    async def untie_child(self, queue: QueueRef, id: str, parent_key: str) -> bool: ...
    async def free_deduplication(self, queue: QueueRef, id: str, dedup_id: str | None) -> bool: ...
    async def remove_deduplication_key(self, queue: QueueRef, dedup_id: str) -> bool: ...
    async def deduplication_owner(self, queue: QueueRef, dedup_id: str) -> str | None: ...
    async def trim_events(self, queue: QueueRef, most: int) -> int: ...


class LimitStore(Protocol):
    """Limits of whole queues, under their stored names."""

    async def set(self, queue: QueueRef, limits: Mapping[str, int | None]) -> None: ...
    async def get(self, queue: QueueRef, *names: str) -> list[int | None]: ...
    async def is_maxed(self, queue: QueueRef) -> bool: ...
    async def rate_left_ms(self, queue: QueueRef, most: int | None) -> int: ...
    async def forget_rate(self, queue: QueueRef) -> bool: ...
    async def wake(self, queue: QueueRef) -> None: ...


class Waiter(Protocol):
    """One worker's ear: a connection of its own that waits for word of jobs."""

    async def wait(self, timeout: float) -> int | None:
        """Wait for word of a job: when to look (ms since the epoch, 0 is now), or ``None`` after ``timeout``.

        Raises:
            StoreUnavailable: The connection is lost; the next call opens a new one.
        """
        ...

    async def close(self) -> None: ...


class EventStore(Protocol):
    """Events of queues, and the cursors of their named readers."""

    async def end(self, queue: QueueRef) -> Place:
        """The end of the queue's events, as a concrete place: what is told from now on is behind it."""
        ...

    async def claim(self, queue: QueueRef, reader: str, owner: str, start: Place | None) -> Place:
        """Become the owner of a named reader; a new one begins at ``start``, or now."""
        ...

    async def move(self, queue: QueueRef, reader: str, owner: str, place: Place) -> bool:
        """Move the cursor of a named reader; ``False`` if somebody else has claimed it."""
        ...

    async def forget(self, queue: QueueRef, reader: str) -> bool: ...
    async def publish(self, queue: QueueRef, words: Sequence[str], most: int | None) -> str: ...
    def lane(self, queue: QueueRef) -> int:
        """Queues of the same lane can be followed by the same feed."""
        ...

    def feed(self, queue: QueueRef) -> EventFeed:
        """A connection for queues of one lane; it is called after this one."""
        ...


class EventFeed(Protocol):
    """A connection of its own that reads the events of many queues.

    Each of its calls raises ``StoreUnavailable`` when the connection is lost; the next one opens a new one.
    """

    async def look(self, queue: QueueRef, after: StreamId, count: int) -> Look:
        """The stream, and its first ``count`` entries behind an id, at one moment."""
        ...

    async def wait(
        self, places: Mapping[QueueRef, StreamId], timeout: float, stop: asyncio.Event
    ) -> set[QueueRef]:
        """Wait for entries behind these ids: the queues that have any. 0 does not wait; ``stop`` ends it."""
        ...

    async def close(self) -> None: ...


class Renewer(Protocol):
    """Renews locks for a thread: a blocking connection of its own."""

    def renew(self, queue: QueueRef, locks: Sequence[tuple[str, str]], lock_ms: int) -> list[str]: ...
    def close(self) -> None: ...


class Store(Protocol):
    """An engine. It is whole: there are no optional parts."""

    now_ms: Callable[[], int]

    @property
    def jobs(self) -> JobStore: ...
    @property
    def family(self) -> FamilyStore: ...
    @property
    def schedulers(self) -> SchedulerStore: ...
    @property
    def queues(self) -> QueueStore: ...
    @property
    def events(self) -> EventStore: ...
    @property
    def removals(self) -> RemovalStore: ...
    @property
    def limits(self) -> LimitStore: ...
    async def ready(self) -> None: ...
    def check_queue(self, queue: QueueRef) -> None: ...
    def check_slot(self, keys: Sequence[str]) -> None: ...
    def waiter(self, queue: QueueRef, worker: str | None) -> Waiter: ...
    def renewer(self) -> Renewer: ...
    async def close(self) -> None: ...
