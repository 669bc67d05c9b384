"""Job schedulers, in blocking code."""

from __future__ import annotations

from typing import Unpack

from toril.core.blocking import BlockingJob as Job
from toril.core.portal import portal
from toril.core.scheduling import JobScheduler
from toril.core.spec import JobSpec
from toril.model.duration import Duration
from toril.model.schedule import ScheduleOptions
from toril.sync.control import Control
from toril.sync.jobs import blocking


class Scheduling(Control):
    """A queue's job schedulers; see ``toril.core.scheduling.Scheduling``."""

    def upsert_job_scheduler(
        self,
        id: str,
        /,
        template: JobSpec | None = None,
        *,
        renew: bool = False,
        **schedule: Unpack[ScheduleOptions],
    ) -> Job | None:
        """Make a job scheduler, or change the one of this id."""
        job = portal.call(self._queue.upsert_job_scheduler(id, template, renew=renew, **schedule))
        return blocking(job) if job is not None else None

    def get_job_scheduler(self, id: str) -> JobScheduler | None:
        """The job scheduler of this id, or ``None``."""
        return portal.call(self._queue.get_job_scheduler(id))

    def get_job_schedulers(
        self, start: int = 0, end: int = -1, *, ascending: bool = False
    ) -> list[JobScheduler]:
        """A page of job schedulers."""
        return portal.call(self._queue.get_job_schedulers(start, end, ascending=ascending))

    def get_job_schedulers_count(self) -> int:
        """How many job schedulers the queue has."""
        return portal.call(self._queue.get_job_schedulers_count())

    def dead_schedulers(self, *, overdue: Duration = 60) -> list[str]:
        """Ids of job schedulers whose next job is lost."""
        return portal.call(self._queue.dead_schedulers(overdue=overdue))

    def restore_schedulers(self, *, overdue: Duration = 60) -> list[str]:
        """Give dead job schedulers their next jobs; answers their ids."""
        return portal.call(self._queue.restore_schedulers(overdue=overdue))

    def remove_job_scheduler(self, id: str) -> bool:
        """Remove a job scheduler with its next job."""
        return portal.call(self._queue.remove_job_scheduler(id))
