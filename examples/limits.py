"""How many jobs of a queue run at once, and how many start in a while, over all of its workers."""

from __future__ import annotations

import asyncio

from toril import Job, Queue, RateLimit, Worker

running = most = refused = 0


async def call(job: Job) -> None:
    global running, most, refused
    if job.data == "busy" and not refused:
        # The service asks us to wait. The job is put back, and this is no attempt.
        refused += 1
        raise RateLimit(0.2)
    running += 1
    most = max(most, running)
    await asyncio.sleep(0.02)
    running -= 1


async def call_twelve_times(queue: Queue) -> None:
    jobs = await asyncio.gather(*(queue.add("call", number) for number in range(12)))
    await asyncio.gather(*(job.result(timeout=10) for job in jobs))


async def main() -> None:
    loop = asyncio.get_running_loop()
    left, right = (Worker("calls", call, concurrency=10) for _ in range(2))
    async with Queue("calls") as queue, left, right:
        await queue.set_global_concurrency(3)
        await call_twelve_times(queue)
        print("20 slots,", most, "jobs at once")
        await queue.remove_global_concurrency()

        await queue.set_global_rate_limit(5, 0.3)
        print("the limit is", await queue.get_global_rate_limit())
        began = loop.time()
        await call_twelve_times(queue)
        print("the last ones waited for the third window:", loop.time() - began > 0.5)

        job = await queue.add("call", "busy")
        await job.result(timeout=10)
        await job.refresh()
        print("refused", refused, "attempts", job.attempts_made)
        await queue.remove_global_rate_limit()


asyncio.run(main())

# Output:
# 20 slots, 3 jobs at once
# the limit is RateLimiter(max=5, per=0.3)
# the last ones waited for the third window: True
# refused 1 attempts 1
