"""Reading a queue, in blocking code."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeVar

from toril.core.blocking import BlockingJob as Job
from toril.core.clients import ClientInfo, WorkerInfo
from toril.core.dependencies import Dependency, DependencyKind, DependencyPage
from toril.core.inspector import JobLock
from toril.core.metrics import Metrics
from toril.core.portal import portal
from toril.core.queue import Queue as AsyncQueue
from toril.model.event import Event
from toril.model.worker_status import WorkerStatus
from toril.store.values import Logs
from toril.sync.jobs import all_blocking, blocking

T = TypeVar("T")


class Inspector:
    """The part of a queue that reads; see ``toril.Inspector``."""

    _queue: AsyncQueue

    def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return portal.call(self._queue.is_paused())

    def get_job(self, id: str) -> Job | None:
        """The job of this id, or ``None``."""
        job = portal.call(self._queue.get_job(id))
        return blocking(job) if job else None

    def get_job_state(self, id: str) -> str:
        """The state of a job."""
        return portal.call(self._queue.get_job_state(id))

    def get_job_counts(self, *states: str) -> dict[str, int]:
        """How many jobs are in each of these states."""
        return portal.call(self._queue.get_job_counts(*states))

    def get_job_count_by_types(self, *states: str) -> int:
        """How many jobs are in these states together."""
        return portal.call(self._queue.get_job_count_by_types(*states))

    def count(self) -> int:
        """How many jobs wait."""
        return portal.call(self._queue.count())

    def get_counts_per_priority(self, priorities: Sequence[int]) -> dict[int, int]:
        """How many jobs wait for a slot, for each of these priorities."""
        return portal.call(self._queue.get_counts_per_priority(priorities))

    def get_jobs(
        self, states: str | Iterable[str], start: int = 0, end: int = -1, *, ascending: bool = False
    ) -> list[Job]:
        """A page of jobs."""
        return all_blocking(portal.call(self._queue.get_jobs(states, start, end, ascending=ascending)))

    def get_ranges(
        self, states: str | Iterable[str], start: int = 0, end: int = 1, *, ascending: bool = False
    ) -> list[str]:
        """Ids at some positions of each state."""
        return portal.call(self._queue.get_ranges(states, start, end, ascending=ascending))

    def iter_jobs(self, states: str | Iterable[str], *, batch: int = 100) -> Iterator[Job]:
        """All jobs of some states; see ``toril.Queue.iter_jobs`` for what it promises."""
        return (blocking(job) for job in _walk(self._queue.iter_jobs(states, batch=batch)))

    def get_job_logs(self, id: str, start: int = 0, end: int = -1, *, ascending: bool = True) -> Logs:
        """Rows of a job's log."""
        return portal.call(self._queue.get_job_logs(id, start, end, ascending=ascending))

    def get_locks(self, ids: Iterable[str]) -> dict[str, JobLock]:
        """The locks of those of these jobs that have one."""
        return portal.call(self._queue.get_locks(ids))

    def iter_events(self, after: str = "0", *, batch: int = 100) -> Iterator[Event]:
        """The events that the queue keeps, oldest first, up to its latest."""
        return _walk(self._queue.iter_events(after, batch=batch))

    def get_meta(self) -> dict[str, Any]:
        """What is set for the whole queue."""
        return portal.call(self._queue.get_meta())

    def get_version(self) -> str | None:
        """Library and version that opened the queue last."""
        return portal.call(self._queue.get_version())

    def get_waiting_count(self) -> int:
        """How many jobs wait for a slot and have no priority."""
        return portal.call(self._queue.get_waiting_count())

    def get_active_count(self) -> int:
        """How many jobs are run now."""
        return portal.call(self._queue.get_active_count())

    def get_delayed_count(self, before: datetime | None = None) -> int:
        """How many jobs wait for their time, or are due before an instant."""
        return portal.call(self._queue.get_delayed_count(before))

    def get_prioritized_count(self) -> int:
        """How many jobs with a priority wait for a slot."""
        return portal.call(self._queue.get_prioritized_count())

    def get_completed_count(self) -> int:
        """How many completed jobs are kept."""
        return portal.call(self._queue.get_completed_count())

    def get_failed_count(self) -> int:
        """How many failed jobs are kept."""
        return portal.call(self._queue.get_failed_count())

    def get_waiting_children_count(self) -> int:
        """How many jobs wait for their children."""
        return portal.call(self._queue.get_waiting_children_count())

    def get_waiting(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of waiting jobs, the next one first."""
        return all_blocking(portal.call(self._queue.get_waiting(start, end)))

    def get_active(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of active jobs, the one started first coming first."""
        return all_blocking(portal.call(self._queue.get_active(start, end)))

    def get_delayed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of delayed jobs, the one due next coming first."""
        return all_blocking(portal.call(self._queue.get_delayed(start, end)))

    def get_prioritized(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of jobs that wait with a priority, the next one first."""
        return all_blocking(portal.call(self._queue.get_prioritized(start, end)))

    def get_completed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of completed jobs, the latest first."""
        return all_blocking(portal.call(self._queue.get_completed(start, end)))

    def get_failed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of failed jobs, the latest first."""
        return all_blocking(portal.call(self._queue.get_failed(start, end)))

    def get_waiting_children(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of jobs that wait for children, oldest first."""
        return all_blocking(portal.call(self._queue.get_waiting_children(start, end)))

    def get_dependencies(
        self, parent_id: str, kind: DependencyKind = "processed", start: int = 0, end: int = -1
    ) -> DependencyPage[Job]:
        """A page of a job's children."""
        found = portal.call(self._queue.get_dependencies(parent_id, kind, start, end))
        items = [
            Dependency(child.key, child.value, child.error, blocking(child.job) if child.job else None)
            for child in found.items
        ]
        return DependencyPage(items, found.total)

    def get_workers(self) -> list[WorkerInfo]:
        """The workers of this queue that are connected."""
        return portal.call(self._queue.get_workers())

    def workers(self) -> list[WorkerStatus]:
        """How the workers of toril are that work for this queue, as they tell it themselves."""
        return portal.call(self._queue.workers())

    def get_workers_count(self) -> int:
        """How many workers are connected."""
        return portal.call(self._queue.get_workers_count())

    def get_queue_events(self) -> list[ClientInfo]:
        """Who reads the events of this queue."""
        return portal.call(self._queue.get_queue_events())

    def get_metrics(self, kind: Literal["completed", "failed"], start: int = 0, end: int = -1) -> Metrics:
        """How many jobs completed, or failed for good, by minute."""
        return portal.call(self._queue.get_metrics(kind, start, end))

    def export_prometheus_metrics(self, labels: Mapping[str, str] | None = None) -> str:
        """Counts of jobs in the text format of Prometheus."""
        return portal.call(self._queue.export_prometheus_metrics(labels))


def _walk(things: AsyncGenerator[T]) -> Iterator[T]:
    async def following() -> T | None:
        return await anext(things, None)

    async def close() -> None:
        await things.aclose()

    try:
        while (thing := portal.call(following())) is not None:
            yield thing
    finally:
        portal.call(close())
