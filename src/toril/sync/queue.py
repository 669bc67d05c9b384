"""A queue for blocking code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Unpack

from toril.core.blocking import BlockingJob as Job
from toril.core.middleware import AddMiddleware
from toril.core.portal import portal
from toril.core.queue import Queue as AsyncQueue
from toril.core.repeat import RepeatStrategy
from toril.core.spec import ABSENT, JobSpec
from toril.core.stuck import StuckParent
from toril.errors import JobError
from toril.model.options import AddOptions
from toril.sync.jobs import blocking
from toril.sync.linked import Linked
from toril.sync.scheduling import Scheduling


class Queue(Scheduling, Linked):
    """A queue whose verbs block; see ``toril.Queue`` for what each does.

    Args:
        name: Name of the queue.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        prefix: Prefix of all keys of the queue.
        default_job_options: Options for every job, unless its ``add`` says otherwise.
        max_events: About so many events of the queue are kept.
        skip_meta_update: Don't write the queue's meta, for tools that only read.
        repeat_strategy: Says when job schedulers fire whose pattern is no cron line; workers need it too.
        middleware: Called around each add, the first one outermost; ``async``, as for ``toril.Queue``.

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
        repeat_strategy: RepeatStrategy | None = None,
        middleware: Sequence[AddMiddleware] = (),
    ) -> None:
        self._queue = AsyncQueue(
            name,
            url=url,
            prefix=prefix,
            default_job_options=default_job_options,
            max_events=max_events,
            skip_meta_update=skip_meta_update,
            repeat_strategy=repeat_strategy,
            middleware=middleware,
        )
        super().__init__(self._queue)

    @property
    def name(self) -> str:
        """Name of the queue."""
        return self._queue.name

    def add(self, name: str, data: Any = ABSENT, /, **options: Unpack[AddOptions]) -> Job:
        """Add a job."""
        return blocking(portal.call(self._queue.add(name, data, **options)))

    def add_many(
        self, jobs: Iterable[JobSpec | tuple[str, Any] | tuple[str, Any, AddOptions]], *, atomic: bool = False
    ) -> list[Job | JobError]:
        """Add many jobs in one go."""
        answers = portal.call(self._queue.add_many(jobs, atomic=atomic))
        return [answer if isinstance(answer, JobError) else blocking(answer) for answer in answers]

    def stuck_parents(self, *, limit: int = 100) -> list[StuckParent]:
        """Jobs that wait for children and can never run."""
        return portal.call(self._queue.stuck_parents(limit=limit))
