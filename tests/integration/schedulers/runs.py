"""The jobs of job schedulers: those that are to come, and running one."""

from __future__ import annotations

from toril import Job, Queue, Worker


async def iterations(queue: Queue) -> list[Job]:
    """Jobs that wait for their time or for a worker."""
    return [*await queue.get_waiting(), *await queue.get_prioritized(), *await queue.get_delayed()]


async def run_one(worker: Worker) -> Job:
    job = await worker.get_next_job(block=False)
    assert job is not None
    await worker.complete(job)
    return job
