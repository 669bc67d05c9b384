"""The queue for blocking code: Django, Flask, scripts, notebooks.

The classes have the names and the verbs of the async ones; each call waits for its answer. They may be used
from any thread, and after a fork. One event loop in a thread of its own serves all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, Unpack

from toril.core.blocking import BlockingJob as Job
from toril.core.job import Job as AsyncJob
from toril.core.portal import portal
from toril.core.queue import ABSENT, JobSpec
from toril.core.queue import Queue as AsyncQueue
from toril.errors import JobError
from toril.model.duration import Duration
from toril.model.options import AddOptions
from toril.store.contract import Logs

__all__ = ["Job", "JobSpec", "Queue"]


class Queue:
    """A queue whose verbs block; see ``toril.Queue`` for what each does.

    Args:
        name: Name of the queue.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        prefix: Prefix of all keys of the queue.
        default_job_options: Options for every job, unless its ``add`` says otherwise.
        max_events: About so many events of the queue are kept.
        skip_meta_update: Don't write the queue's meta, for tools that only read.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self,
        name: str,
        *,
        url: str | None = None,
        prefix: str = "bull",
        default_job_options: AddOptions | None = None,
        max_events: int = 10_000,
        skip_meta_update: bool = False,
    ) -> None:
        self._queue = AsyncQueue(
            name,
            url=url,
            prefix=prefix,
            default_job_options=default_job_options,
            max_events=max_events,
            skip_meta_update=skip_meta_update,
        )

    @property
    def name(self) -> str:
        """Name of the queue."""
        return self._queue.name

    def ready(self) -> Self:
        """Connect now, instead of at first use."""
        portal.call(self._queue.ready())
        return self

    def close(self) -> None:
        """Leave the server."""
        portal.call(self._queue.close())

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, name: str, data: Any = ABSENT, /, **options: Unpack[AddOptions]) -> Job:
        """Add a job."""
        return _blocking(portal.call(self._queue.add(name, data, **options)))

    def add_many(
        self, jobs: Iterable[JobSpec | tuple[str, Any] | tuple[str, Any, AddOptions]], *, atomic: bool = False
    ) -> list[Job | JobError]:
        """Add many jobs in one go."""
        answers = portal.call(self._queue.add_many(jobs, atomic=atomic))
        return [answer if isinstance(answer, JobError) else _blocking(answer) for answer in answers]

    def pause(self) -> None:
        """Nothing is taken from the queue until it is resumed."""
        portal.call(self._queue.pause())

    def resume(self) -> None:
        """Let jobs be taken again."""
        portal.call(self._queue.resume())

    def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return portal.call(self._queue.is_paused())

    def rate_limit(self, duration: Duration) -> None:
        """Start no job for so long."""
        portal.call(self._queue.rate_limit(duration))

    def remove(self, id: str, *, remove_children: bool = True) -> bool:
        """Remove a job; ``False`` if it is running."""
        return portal.call(self._queue.remove(id, remove_children=remove_children))

    def retry_jobs(self, state: str = "failed", *, count: int = 1000, before: datetime | None = None) -> int:
        """Run all finished jobs again."""
        return portal.call(self._queue.retry_jobs(state, count=count, before=before))

    def promote_jobs(self, *, count: int = 1000) -> int:
        """Let all delayed jobs wait now."""
        return portal.call(self._queue.promote_jobs(count=count))

    def add_job_log(self, id: str, row: str, *, keep_logs: int | None = None) -> int:
        """Append a row to a job's log."""
        return portal.call(self._queue.add_job_log(id, row, keep_logs=keep_logs))

    def update_job_progress(self, id: str, progress: Any) -> None:
        """Report progress of a job from outside."""
        portal.call(self._queue.update_job_progress(id, progress))

    def get_job(self, id: str) -> Job | None:
        """The job of this id, or ``None``."""
        job = portal.call(self._queue.get_job(id))
        return _blocking(job) if job else None

    def get_job_state(self, id: str) -> str:
        """The state of a job."""
        return portal.call(self._queue.get_job_state(id))

    def get_job_counts(self, *states: str) -> dict[str, int]:
        """How many jobs are in each of these states."""
        return portal.call(self._queue.get_job_counts(*states))

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
        return _all_blocking(portal.call(self._queue.get_jobs(states, start, end, ascending=ascending)))

    def get_job_logs(self, id: str, start: int = 0, end: int = -1, *, ascending: bool = True) -> Logs:
        """Rows of a job's log."""
        return portal.call(self._queue.get_job_logs(id, start, end, ascending=ascending))

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

    def get_delayed_count(self) -> int:
        """How many jobs wait for their time."""
        return portal.call(self._queue.get_delayed_count())

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
        return _all_blocking(portal.call(self._queue.get_waiting(start, end)))

    def get_active(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of active jobs, the one started first coming first."""
        return _all_blocking(portal.call(self._queue.get_active(start, end)))

    def get_delayed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of delayed jobs, the one due next coming first."""
        return _all_blocking(portal.call(self._queue.get_delayed(start, end)))

    def get_prioritized(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of jobs that wait with a priority, the next one first."""
        return _all_blocking(portal.call(self._queue.get_prioritized(start, end)))

    def get_completed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of completed jobs, the latest first."""
        return _all_blocking(portal.call(self._queue.get_completed(start, end)))

    def get_failed(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of failed jobs, the latest first."""
        return _all_blocking(portal.call(self._queue.get_failed(start, end)))

    def get_waiting_children(self, start: int = 0, end: int = -1) -> list[Job]:
        """A page of jobs that wait for children, oldest first."""
        return _all_blocking(portal.call(self._queue.get_waiting_children(start, end)))


def _blocking(job: AsyncJob) -> Job:
    return Job(job, portal.call)


def _all_blocking(jobs: Iterable[AsyncJob]) -> list[Job]:
    return [_blocking(job) for job in jobs]
