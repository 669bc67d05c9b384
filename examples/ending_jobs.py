"""Jobs that end before they are done: by a timeout, because they are too late, or cancelled."""

from __future__ import annotations

import asyncio

from toril import BlockingJob, Job, JobFailed, Queue, SoftTimeout, Worker

SLOW = {"seconds": 60}
begun = asyncio.Event()


async def crawl(job: Job) -> str:
    begun.set()
    try:
        await asyncio.sleep(job.data["seconds"])
    except SoftTimeout:
        return "saved what there was"
    return "done"


def shrink(job: BlockingJob) -> None:
    # A thread can't be stopped from outside, so it asks.
    if job.cancelled.wait(60):
        job.check_cancelled()


async def outcome(job: Job) -> str:
    try:
        return await job.result(timeout=10)
    except JobFailed as failed:
        return failed.reason


async def main() -> None:
    handlers = {"crawl": crawl, "shrink": shrink}
    async with Queue("ending") as queue:
        late = await queue.add("crawl", SLOW, expires_in=0.05)
        dropped = await queue.add("crawl", SLOW, delay=3600)
        print("it waited, and is", await queue.cancel(dropped.id))
        await asyncio.sleep(0.1)

        async with Worker("ending", handlers, timeout={"shrink": 0.1}):
            print("too late:", await outcome(late))
            running = await queue.add("crawl", SLOW)
            await begun.wait()
            print("it ran:", await running.cancel(), "and then", await outcome(running))
            print("soft:", await outcome(await queue.add("crawl", SLOW, soft_timeout=0.1)))
            print("hard:", await outcome(await queue.add("shrink")))


asyncio.run(main())

# Output:
# it waited, and is cancelled
# too late: expired
# it ran: cancelling and then cancelled
# soft: saved what there was
# hard: timed out after 0.1 s
