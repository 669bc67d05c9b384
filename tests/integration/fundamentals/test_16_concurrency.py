"""How many jobs run at once, and how many start in a while."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from toril import Job, OptionError, Queue, RateLimiter
from toril.store.contract import Store


class Crowd:
    """A handler that counts who runs, and lets nobody go before it is told to."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.gate = asyncio.Event()

    async def __call__(self, job: Job) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        self.running -= 1


async def add_jobs(queue: Queue, count: int) -> list[Job]:
    return [job for job in await queue.add_many([("work", None)] * count) if isinstance(job, Job)]


async def completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count


async def test_a_worker_runs_one_job_at_a_time_unless_told_otherwise(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    crowd = Crowd()
    crowd.gate.set()
    await add_jobs(queue, 20)
    await start_worker(crowd)
    await eventually(lambda: completed(queue, 20))

    assert crowd.most == 1


@pytest.mark.parametrize("slots", [2, 7, 120])
async def test_or_as_many_as_it_has_slots(queue: Queue, start_worker: WorkerStarter, slots: int) -> None:
    crowd = Crowd()
    await add_jobs(queue, slots + 10)
    await start_worker(crowd, concurrency=slots)

    await eventually(lambda: crowd.running == slots)
    assert await queue.get_active_count() == slots
    crowd.gate.set()
    await eventually(lambda: completed(queue, slots + 10))
    assert crowd.most == slots


async def test_slots_can_be_added_while_it_runs(queue: Queue, start_worker: WorkerStarter) -> None:
    crowd = Crowd()
    await add_jobs(queue, 10)
    worker = await start_worker(crowd, concurrency=1)
    await eventually(lambda: crowd.running == 1)
    worker.concurrency = 6

    await eventually(lambda: crowd.running == 6)
    crowd.gate.set()
    await eventually(lambda: completed(queue, 10))


async def test_and_taken_away(queue: Queue, start_worker: WorkerStarter) -> None:
    crowd = Crowd()
    await add_jobs(queue, 8)
    worker = await start_worker(crowd, concurrency=4)
    await eventually(lambda: crowd.running == 4)
    worker.concurrency = 1
    crowd.gate.set()
    await eventually(lambda: completed(queue, 8))
    crowd.gate.clear()
    crowd.most = 0
    await add_jobs(queue, 5)
    await eventually(lambda: crowd.running == 1)
    crowd.gate.set()
    await eventually(lambda: completed(queue, 13))

    assert crowd.most == 1


def test_there_must_be_a_slot(new_worker: WorkerFactory) -> None:
    worker = new_worker()

    wrong: list[Any] = [0, -1, 1.5, True, "2"]

    for slots in wrong:
        with pytest.raises(OptionError):
            worker.concurrency = slots
    assert worker.concurrency == 1


async def test_workers_share_the_jobs_and_each_runs_once(queue: Queue, start_worker: WorkerStarter) -> None:
    runs: Counter[str] = Counter()

    async def handler(job: Job) -> None:
        runs[job.id] += 1
        await asyncio.sleep(0)

    for _ in range(3):
        await start_worker(handler, concurrency=5)
    await add_jobs(queue, 300)
    await eventually(lambda: completed(queue, 300))

    assert runs == Counter({str(number + 1): 1 for number in range(300)})


async def test_a_limiter_bounds_how_many_start_in_a_while(
    new_queue: QueueFactory, new_worker: WorkerFactory, store: Store
) -> None:
    worker = new_worker(store=store, limiter=RateLimiter(max=2, per=60))
    await add_jobs(new_queue(store=store), 5)

    jobs = [await worker.get_next_job(block=False) for _ in range(4)]

    assert [job.id if job else None for job in jobs] == ["1", "2", None, None]


async def test_when_the_while_is_over_others_start(queue: Queue, start_worker: WorkerStarter) -> None:
    crowd = Crowd()
    crowd.gate.set()
    await add_jobs(queue, 6)
    await start_worker(crowd, limiter=RateLimiter(max=2, per=0.05), concurrency=10)

    # 6 jobs, 2 in each 0.05 s.
    await eventually(lambda: completed(queue, 6))
    assert crowd.most <= 2


async def test_a_concurrency_set_for_the_whole_queue_holds_for_all_workers(
    queue: Queue, prefix: str, start_worker: WorkerStarter, database: Database
) -> None:
    crowd = Crowd()
    database.command("HSET", f"{prefix}:tasks:meta", "concurrency", 3)
    await add_jobs(queue, 12)
    for _ in range(2):
        await start_worker(crowd, concurrency=5, drain_delay=0.05)
    await eventually(lambda: crowd.running == 3)
    crowd.gate.set()
    await eventually(lambda: completed(queue, 12))

    assert crowd.most == 3
