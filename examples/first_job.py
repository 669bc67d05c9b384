"""Add a job, let a worker run it, and wait for its result."""

from __future__ import annotations

import asyncio

from toril import Job, Queue, Worker


async def greet(job: Job) -> str:
    await job.log(f"thinking of {job.data['name']}")
    await job.update_progress(50)
    return f"Hello, {job.data['name']}!"


async def main() -> None:
    # Queue and worker may be in different programs, on different machines; here they are side by side.
    async with Queue("greetings") as queue, Worker("greetings", greet, concurrency=10):
        job = await queue.add("greet", {"name": "Ada"})
        print(await job.result(timeout=10))

        await job.refresh()
        print("progress", job.progress)
        print("log:", *(await job.logs()).rows)
        print("state", await job.state())


asyncio.run(main())

# Output:
# Hello, Ada!
# progress 50
# log: thinking of Ada
# state completed
