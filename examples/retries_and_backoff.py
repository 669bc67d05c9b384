"""A job that fails is tried again after a while, unless its handler says that this is of no use."""

from __future__ import annotations

import asyncio

from toril import Backoff, Job, JobFailed, Queue, Unrecoverable, Worker


async def charge(job: Job) -> str:
    if job.data["card"] == "stolen":
        raise Unrecoverable("the card was stolen")
    if job.attempts_made < 2:
        raise ConnectionError("the bank does not answer")
    return "paid"


def tell(job: Job, error: BaseException, _previous_state: str) -> None:
    if not isinstance(error, Unrecoverable):
        print(f"  {job.data['card']}: {error}, to be tried again")


async def main() -> None:
    worker = Worker("payments", charge)
    worker.on("failed", tell)
    async with Queue("payments") as queue, worker:
        # After 0.1 s, 0.2 s, 0.4 s and so on, each time up to a quarter less.
        backoff = Backoff.exponential(0.1, jitter=0.25, max_delay=60)
        job = await queue.add("charge", {"card": "good"}, attempts=5, backoff=backoff)
        print(await job.result(timeout=10))
        await job.refresh()
        print("attempts", job.attempts_made)

        job = await queue.add("charge", {"card": "stolen"}, attempts=5, backoff=backoff)
        try:
            await job.result(timeout=10)
        except JobFailed as failed:
            print("failed:", failed.reason)
        await job.refresh()
        print("attempts", job.attempts_made)


asyncio.run(main())

# Output:
#   good: the bank does not answer, to be tried again
#   good: the bank does not answer, to be tried again
# paid
# attempts 3
# failed: the card was stolen
# attempts 1
