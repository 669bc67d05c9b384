"""Jobs at intervals and at times of day."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from toril import Job, JobSpec, Queue, Worker

beats = asyncio.Semaphore(0)


async def beat(job: Job) -> None:
    print("beat for", job.data["to"])
    beats.release()


async def main() -> None:
    async with Queue("clock") as queue:
        # Define schedulers at each start of a program: one that is stored just so is left as it is.
        for _ in range(2):
            template = JobSpec("beat", {"to": "team"}, {"remove_on_complete": True})
            await queue.upsert_job_scheduler("heart", template, every=0.2, limit=2)
            await queue.upsert_job_scheduler(
                "morning", cron="0 9 * * MON-FRI", tz="Europe/Berlin", start=datetime(2090, 1, 1, tzinfo=UTC)
            )
        for scheduler in await queue.get_job_schedulers(ascending=True):
            print(scheduler.id, scheduler.cron or scheduler.every)

        morning = await queue.get_job_scheduler("morning")
        print("first on", morning and f"{morning.next_at:%A %d.%m.%Y %H:%M} UTC")

        # The job that comes next is added when a worker takes the one before.
        async with Worker("clock", beat):
            await beats.acquire()
            await beats.acquire()

        for id in ("heart", "morning"):
            print(id, "removed:", await queue.remove_job_scheduler(id))


asyncio.run(main())

# Output:
# heart 0.2
# morning 0 9 * * MON-FRI
# first on Monday 02.01.2090 08:00 UTC
# beat for team
# beat for team
# heart removed: True
# morning removed: True
