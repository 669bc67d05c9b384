"""One job to one place, which is enough to be refused."""

from __future__ import annotations

from toril import Job, Queue


async def add_one(url: str, name: str = "tests", prefix: str = "bull") -> Job:
    """Open a queue, add a job, close the queue."""
    queue = Queue(name, url=url, prefix=prefix)
    try:
        return await queue.add("job")
    finally:
        await queue.close()
