"""Jobs that run later, and jobs that run before others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from toril import Job, Queue, Worker


async def say(job: Job) -> None:
    print(job.data)


async def main() -> None:
    async with Queue("sayings") as queue:
        # Nobody works yet. Without a priority is first, then the lower number, then the older job.
        await queue.add("say", "priority 10", priority=10)
        await queue.add("say", "priority 1", priority=1)
        await queue.add("say", "no priority")
        await queue.add("say", "no priority, in front of all", lifo=True)

        next_year = datetime.now(UTC) + timedelta(days=365)
        late = await queue.add("say", "next year", at=next_year)
        last = await queue.add("say", "in a second", delay=1)
        print("jobs to be run:", await queue.count(), "of them later:", await queue.get_delayed_count())
        # Plans change: what was to run next year is due now.
        await late.promote()

        async with Worker("sayings", say, concurrency=1):
            await last.result(timeout=10)


asyncio.run(main())

# Output:
# jobs to be run: 6 of them later: 2
# no priority, in front of all
# no priority
# next year
# priority 1
# priority 10
# in a second
