"""One job to one place, which is enough to be refused."""

from __future__ import annotations

from toril import Job, Queue


async def add_one(url: str, name: str = "tests", prefix: str = "bull") -> Job:
    """Open a queue, add a job, close the queue."""
    async with Queue(name, url=url, prefix=prefix) as queue:
        return await queue.add("job")
