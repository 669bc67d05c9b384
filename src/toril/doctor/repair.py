"""Repairing what can be repaired without harm."""

from __future__ import annotations

from toril.core.queue import Queue
from toril.doctor.findings import Finding
from toril.doctor.snapshot import LATE
from toril.errors import JobNotFound, JobNotInState


async def repair(queue: Queue, finding: Finding) -> int:
    """Do what the finding advises; answers for how many jobs or schedulers.

    Args:
        queue: The queue it is about.
        finding: One that is ``repairable``; of others nothing is done.
    """
    match finding.kind:
        case "orphans":
            return await queue.remove_orphans()
        case "dead-schedulers":
            return len(await queue.restore_schedulers(overdue=LATE))
        case "overdue-jobs":
            return await _promote(queue, finding.ids)
        case _:
            return 0


async def _promote(queue: Queue, ids: tuple[str, ...]) -> int:
    """Let delayed jobs wait; those that a worker took meanwhile need it no more."""
    promoted = 0
    for id in ids:
        job = await queue.get_job(id)
        if job is None:
            continue
        try:
            await job.promote()
        except (JobNotFound, JobNotInState):
            continue
        promoted += 1
    return promoted
