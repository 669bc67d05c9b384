"""What the core asks of storage, in values of the model.

Every call is one atomic step on the server, or, where it takes many, one atomic step for each of them in
order. The queue is an argument: one store serves all queues. Callers pass delays, the store stamps times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from toril.errors import JobError
from toril.model.job import JobRecord
from toril.model.names import QueueRef


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


@dataclass(frozen=True, slots=True)
class Logs:
    """Rows of a job's log, and how many there are in all."""

    rows: list[str]
    count: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a walk through a state has come; to be handed back to the store that made it.

    Attributes:
        anchors: The last ids that were read.
    """

    position: int
    anchors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Child:
    """A child of a job: its key, what is stored with it, and its job unless that is gone."""

    key: str
    value: bytes | None
    job: JobRecord | None


@dataclass(frozen=True, slots=True)
class Children:
    """Some children of a job, and how many there are in all."""

    items: list[Child]
    total: int


@dataclass(frozen=True, slots=True)
class MetricsRecord:
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


class JobStore(Protocol):
    """Jobs, one by one and many at a time."""

    async def add(self, queue: QueueRef, job: NewJob) -> Added: ...
    async def add_many(
        self, queue: QueueRef, jobs: Sequence[NewJob], *, atomic: bool
    ) -> list[Added | JobError]: ...
    async def add_tree(
        self, queue: QueueRef, jobs: Sequence[NewJob], parents: Sequence[str]
    ) -> list[Added]: ...
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
    async def children_values(self, queue: QueueRef, id: str) -> dict[str, bytes]: ...


class QueueStore(Protocol):
    """Whole queues."""

    async def announce(self, queue: QueueRef, max_events: int) -> None: ...
    async def meta(self, queue: QueueRef) -> dict[str, str]: ...
    async def pause(self, queue: QueueRef) -> None: ...
    async def resume(self, queue: QueueRef) -> None: ...
    async def is_paused(self, queue: QueueRef) -> bool: ...
    async def counts(self, queue: QueueRef, states: Sequence[str]) -> list[int]: ...
    async def counts_per_priority(self, queue: QueueRef, priorities: Sequence[int]) -> list[int]: ...
    async def delayed_before(self, queue: QueueRef, before_ms: int) -> int: ...
    async def page(
        self, queue: QueueRef, states: Sequence[str], first: int, last: int, *, ascending: bool
    ) -> list[JobRecord]: ...
    async def ids(
        self, queue: QueueRef, states: Sequence[str], first: int, last: int, *, ascending: bool
    ) -> list[str]: ...
    async def ids_at_once(self, queue: QueueRef, states: Sequence[str]) -> list[str] | None: ...
    async def walk(
        self, queue: QueueRef, state: str, place: Place | None = None
    ) -> tuple[list[str], Place | None]: ...
    async def read(self, queue: QueueRef, ids: Sequence[str]) -> list[JobRecord]: ...
    async def children(self, queue: QueueRef, id: str, part: str, first: int, last: int) -> Children: ...
    async def metrics(self, queue: QueueRef, kind: str, first: int, last: int) -> MetricsRecord: ...
    async def workers(self, queue: QueueRef) -> list[dict[str, str]]: ...
    async def event_readers(self, queue: QueueRef) -> list[dict[str, str]]: ...
    async def names(self, prefix: str) -> list[str]: ...
    async def retry_jobs(self, queue: QueueRef, state: str, count: int, before_ms: int | None) -> int: ...
    async def rate_limit(self, queue: QueueRef, duration_ms: int) -> None: ...


class Waiter(Protocol):
    """One worker's ear: a connection of its own that waits for word of jobs."""

    async def wait(self, timeout: float) -> int | None:
        """Wait for word of a job: when to look (ms since the epoch, 0 is now), or ``None`` after ``timeout``.

        Raises:
            StoreUnavailable: The connection is lost; the next call opens a new one.
        """
        ...

    async def close(self) -> None: ...


class EventReader(Protocol):
    """One reader of a queue's events, with a connection of its own."""

    async def start(self) -> None:
        """Fix the place to read from: nothing that is told after this returns is missed."""
        ...

    async def read(self) -> list[dict[str, str]]:
        """The next events; an empty list after a quiet while.

        Raises:
            StoreUnavailable: The connection is lost; what follows may have a gap.
        """
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
    def queues(self) -> QueueStore: ...
    async def ready(self) -> None: ...
    def check_queue(self, queue: QueueRef) -> None: ...
    def waiter(self, queue: QueueRef, worker: str | None) -> Waiter: ...
    def event_reader(self, queue: QueueRef) -> EventReader: ...
    def renewer(self) -> Renewer: ...
    async def close(self) -> None: ...
