"""Job schedulers that many processes define, whose workers are killed and whose server is restarted."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.program import Program
from tests.support.server import OwnServer
from toril import Job, JobSpec, Queue

DEFINING = """
import asyncio, os, sys
from toril import JobSpec, Queue

async def main():
    async with Queue("tasks", url=sys.argv[1], prefix=sys.argv[2]) as queue:
        print("ready", flush=True)
        for turn in range(60):
            # Now and then all say the same, now and then each its own.
            data = turn if turn % 3 else os.getpid()
            await queue.upsert_job_scheduler("beat", JobSpec("tick", data), every=0.2)

asyncio.run(main())
"""

WORKING = """
import asyncio, sys
from toril import Worker

async def handler(job):
    print("took", job.id, flush=True)
    await asyncio.sleep(60)

async def main():
    options = {"lock_duration": 0.5, "stalled_interval": 0.2}
    await Worker("tasks", handler, url=sys.argv[1], prefix=sys.argv[2], **options).run()

asyncio.run(main())
"""


async def pending(queue: Queue) -> list[Job]:
    return [*await queue.get_waiting(), *await queue.get_delayed()]


async def test_processes_that_define_it_at_the_same_time_leave_one_schedule(
    url: str, prefix: str, queue: Queue, start_worker: WorkerStarter
) -> None:
    ran: list[str] = []

    async def note(job: Job) -> None:
        ran.append(job.id)

    await start_worker(note, concurrency=4)
    with ExitStack() as stack:
        programs = [stack.enter_context(Program(DEFINING, url, prefix)) for _ in range(4)]
        codes = await asyncio.gather(*(asyncio.to_thread(program.exit_code) for program in programs))
    assert codes == [0, 0, 0, 0]
    before = len(ran)
    await eventually(lambda: len(ran) >= before + 3)

    assert len(ran) == len(set(ran)), "a run came twice"
    assert len(await pending(queue)) <= 1
    assert await queue.get_job_schedulers_count() == 1


async def test_a_schedule_outlives_the_workers_that_took_its_jobs(
    url: str, prefix: str, queue: Queue, start_worker: WorkerStarter
) -> None:
    await queue.upsert_job_scheduler("beat", every=0.2)
    for _ in range(2):
        with Program(WORKING, url, prefix) as victim:
            await asyncio.to_thread(victim.line)
            victim.kill()
    ran: list[str] = []

    async def note(job: Job) -> None:
        ran.append(job.id)

    # What the victims held is rescued, and the schedule goes on.
    await start_worker(note, lock_duration=0.5, stalled_interval=0.2, max_stalled_count=5)
    await eventually(lambda: len(ran) >= 6)
    assert len(ran) == len(set(ran))
    assert len(await pending(queue)) <= 1


async def test_a_schedule_goes_on_after_the_server_was_away(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    ran: list[str] = []

    async def note(job: Job) -> None:
        ran.append(job.id)

    queue = new_queue(url=server.url)
    worker = await start_worker(note, url=server.url, run_retry_delay=0.5)
    await queue.upsert_job_scheduler("beat", JobSpec("tick"), every=0.2)
    await eventually(lambda: len(ran) >= 2)
    server.kill()
    server.start()
    before = len(ran)
    await eventually(lambda: len(ran) >= before + 3)

    assert len(await pending(queue)) <= 1
    await worker.close()
