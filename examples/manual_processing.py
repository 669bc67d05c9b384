"""Taking and finishing jobs yourself, for programs that have a loop of their own, and for tests."""

from __future__ import annotations

import asyncio

from toril import Queue, Worker


async def main() -> None:
    # Without a handler, a worker does what it is told, and nothing by itself.
    async with Queue("orders") as queue, Worker("orders", lock_duration=10) as worker:
        await queue.add_many([("order", {"pieces": pieces}) for pieces in (3, 0, 5)])

        job = await worker.get_next_job()
        while job is not None:
            # The job is ours for 10 seconds; who needs longer says so.
            lost = await worker.extend_locks([job.id], [job.token], 30)
            print(job.data, "lost" if lost else "held")
            if job.data["pieces"]:
                await worker.complete(job, "packed")
            else:
                await worker.fail(job, ValueError("nothing to pack"))
            job = await worker.get_next_job(block=False)

        for job in await queue.get_jobs(("failed", "completed")):
            print(job.data["pieces"], job.return_value or job.failed_reason)
            await job.remove()


asyncio.run(main())

# Output:
# {'pieces': 3} held
# {'pieces': 0} held
# {'pieces': 5} held
# 0 nothing to pack
# 5 packed
# 3 packed
