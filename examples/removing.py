"""Removing jobs: one, those that wait, old ones, as they finish, and a whole queue."""

from __future__ import annotations

import asyncio

from toril import Job, JobLocked, Keep, Queue, Worker


async def count(job: Job) -> int:
    if job.data == "running":
        try:
            await job.remove()
        except JobLocked:
            print("a job that runs can't be removed")
    return job.attempts_started


async def run(queue: Queue, *data: str) -> None:
    # Finished jobs are kept unless somebody says otherwise: here the three latest.
    async with Worker("numbers", count, remove_on_complete=Keep(count=3)):
        for one in data:
            job = await queue.add("count", one)
            await job.result(timeout=10)


async def main() -> None:
    async with Queue("numbers") as queue:
        one = await queue.add("count", "one", job_id="the-one")
        await one.remove()
        print("removed by id:", await queue.get_job("the-one"))

        await queue.add_many([("count", "waiting")] * 5)
        await queue.add("count", "later", delay=3600)
        print("drained:", await queue.drain(), "and delayed ones:", await queue.drain(delayed=True))

        await run(queue, "running", "a", "b", "c", "d")
        print("kept:", await queue.get_completed_count(), "of 5")
        print("older than an hour:", len(await queue.clean(3600)), "all:", len(await queue.clean(0)))

        await queue.add_many([("count", "left")] * 2)
        await queue.obliterate(on_progress=lambda removed, left: print(f"{removed} removed, {left} left"))
        print("left in the queue:", await queue.count())


asyncio.run(main())

# Output:
# removed by id: None
# drained: 5 and delayed ones: 1
# a job that runs can't be removed
# kept: 3 of 5
# older than an hour: 0 all: 3
# 2 removed, 0 left
# left in the queue: 0
