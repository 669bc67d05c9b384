"""Handlers in child processes: they may compute, and even crash, beside others that wait."""

from __future__ import annotations

import asyncio
import os
import re

from toril import BlockingJob, Job, JobFailed, Queue, Worker

WORKER = os.getpid()


def count_primes(job: BlockingJob) -> str:
    limit = job.data["below"]
    sieve = bytearray([1]) * limit
    sieve[0:2] = b"\0\0"
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
            job.update_progress(round(number**2 / limit, 2))
    return f"{sum(sieve)} primes below {limit}"


def crash(job: BlockingJob) -> str:
    if job.attempts_started == 1:
        os.abort()
    return f"worked at attempt {job.attempts_started}"


async def greet(job: Job) -> str:
    return f"{job.name} ran in {'the worker' if os.getpid() == WORKER else 'a child'}"


async def main() -> None:
    handlers = {"primes": count_primes, "crash": crash, "greet": greet}
    isolation = {"primes": "process", "crash": "process"}
    async with Queue("isolation") as queue, Worker("isolation", handlers, isolation=isolation):
        for name, attempts in (("primes", 1), ("crash", 1), ("crash", 2), ("greet", 1)):
            job = await queue.add(name, {"below": 1_000_000}, attempts=attempts)
            try:
                print(await job.result(timeout=20))
            except JobFailed as failed:
                print(re.sub(r"\d+", "...", failed.reason))


# A child loads this file, too, and must not start a worker of its own.
if __name__ == "__main__":
    asyncio.run(main())

# Output:
# 78498 primes below 1000000
# the child process (pid ...) was killed by SIGABRT
# worked at attempt 2
# greet ran in the worker
