"""Jobs as blocking code gets them."""

from __future__ import annotations

from collections.abc import Iterable

from toril.core.blocking import BlockingJob
from toril.core.job import Job
from toril.core.portal import portal


def blocking(job: Job) -> BlockingJob:
    """The job with verbs that block."""
    return BlockingJob(job, portal.call)


def all_blocking(jobs: Iterable[Job]) -> list[BlockingJob]:
    """Each of the jobs with verbs that block."""
    return [blocking(job) for job in jobs]
