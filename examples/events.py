"""Following what happens in a queue, with a reader that goes on where it stopped."""

from __future__ import annotations

import asyncio

from toril import Job, Queue, QueueEvents, Worker

QUIET = ("added", "waiting", "drained")


async def bake(job: Job) -> str:
    await job.update_progress("in the oven")
    return f"a {job.data}"


async def read_until(events: QueueEvents, last: str) -> None:
    async for event in events:
        what = event.progress or event.return_value or event.text("price") or ""
        if event.name not in QUIET:
            print(f"  {event.name} {what}".rstrip())
        if event.name == last:
            # Handled, so the next reader of this name begins behind it.
            await events.commit()
            break


async def main() -> None:
    async with Queue("bakery") as queue, Worker("bakery", bake):
        async with QueueEvents("bakery", reader="till") as events:
            print("first reader:")
            await queue.add("bake", "cake")
            await read_until(events, "completed")

        # Nobody reads now, and nothing is lost.
        job = await queue.add("bake", "pie")
        await job.result(timeout=10)
        await queue.publish_event("sold", jobId=job.id, price="4.50")

        async with QueueEvents("bakery", reader="till") as events:
            print("second reader:")
            await read_until(events, "sold")


asyncio.run(main())

# Output:
# first reader:
#   active
#   progress in the oven
#   completed a cake
# second reader:
#   active
#   progress in the oven
#   completed a pie
#   sold 4.50
