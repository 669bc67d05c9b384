"""A server that is far away: calls grow, several are under way, and nothing gives up by itself."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.support.eventually import all_completed, eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.proxy import Proxy
from tests.support.trips import counting_trips
from toril import Job, JobSpec, Queue
from toril.store.redis.script import script

FAR = 0.1
PATIENCE = 60.0


class Runs:
    """Counts how often each job ran."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    async def __call__(self, job: Job) -> str:
        self.counts[job.id] += 1
        return job.name


async def behind(proxy: Proxy, new_queue: QueueFactory, delay: float = FAR) -> Queue:
    """A queue with one job at a server that is far away."""
    proxy.delay = delay
    queue = new_queue(url=proxy.url)
    await queue.add("first")
    return queue


async def test_a_thousand_callers_share_a_few_calls_and_keep_their_order(
    proxy: Proxy, new_queue: QueueFactory
) -> None:
    queue = await behind(proxy, new_queue)
    with counting_trips() as trips:
        jobs = await asyncio.gather(*(queue.add("work", n) for n in range(1000)))

    assert 10 <= len(trips.commands) <= 20
    assert [job.id for job in jobs] == [str(n) for n in range(2, 1002)]


async def test_adds_in_bulk_share_a_few_calls_and_keep_their_order(
    proxy: Proxy, new_queue: QueueFactory
) -> None:
    queue = await behind(proxy, new_queue)
    with counting_trips() as trips:
        jobs = await queue.add_many([JobSpec("work", n) for n in range(2000)])

    assert [job.id for job in jobs if isinstance(job, Job)] == [str(n) for n in range(2, 2002)]
    assert 10 <= len(trips.commands) <= 20


async def test_adds_one_after_the_other_keep_their_order(proxy: Proxy, new_queue: QueueFactory) -> None:
    async def caller(name: str) -> list[int]:
        return [int((await queue.add(name)).id) for _ in range(5)]

    queue = await behind(proxy, new_queue, 0.01)
    for ids in await asyncio.gather(*(caller(f"caller {n}") for n in range(300))):
        assert ids == sorted(ids)


@pytest.mark.parametrize("delay", [0.001, 0.01, FAR])
async def test_a_far_worker_runs_all_jobs_once(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter, delay: float
) -> None:
    jobs = await queue.add_many([JobSpec("work", n) for n in range(500)])
    proxy.delay = delay
    runs, errors = Runs(), list[BaseException]()
    with counting_trips() as trips:
        worker = await start_worker(runs, url=proxy.url, concurrency=50, stalled_interval=0.5)
        worker.on("error", errors.append)
        await eventually(lambda: all_completed(queue, 500), timeout=PATIENCE)

    assert len(jobs) == 500
    assert set(runs.counts.values()) == {1}
    assert len(runs.counts) == 500
    assert errors == []
    assert worker.health == "healthy"
    # Half of the slots are settled while the other half runs.
    assert len(trips.calls(script("settle").digest)) < 60


async def test_many_slots_have_several_calls_under_way(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    await queue.add_many([JobSpec("work", n) for n in range(5000)])
    proxy.delay = 0.02
    runs = Runs()
    with counting_trips() as trips:
        await start_worker(runs, url=proxy.url, concurrency=500)
        await eventually(lambda: all_completed(queue, 5000), timeout=PATIENCE)

    assert set(runs.counts.values()) == {1}
    calls = trips.calls(script("settle").digest)
    assert len(calls) < 200
    assert 4 <= trips.most <= 9


async def test_locks_and_waits_outlast_the_way(
    queue: Queue, proxy: Proxy, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    """Locks are renewed in time, an idle worker hears of a job, and its result comes back."""

    async def run(job: Job) -> str:
        runs[job.id] += 1
        await asyncio.sleep(job.data)
        return "done"

    runs: Counter[str] = Counter()
    far = await behind(proxy, new_queue)
    worker = await start_worker(
        run, url=proxy.url, concurrency=2, lock_duration=1, stalled_interval=0.3, drain_delay=0.5
    )
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    await (await queue.add("before", 0)).result(timeout=PATIENCE)

    assert await (await far.add("long", 2.5)).result(timeout=PATIENCE) == "done"
    assert set(runs.values()) == {1}
    assert errors == []


async def test_calls_that_are_cut_off_together_are_each_made_good(
    queue: Queue, proxy: Proxy, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    far = await behind(proxy, new_queue, 0.01)
    adding = [asyncio.create_task(far.add("work", n)) for n in range(1000)]
    with counting_trips() as trips:
        await eventually(lambda: len(trips.commands) >= 4)
        proxy.cut()
        jobs = await asyncio.gather(*adding)
    assert sorted(int(job.id) for job in jobs) == [*range(2, 1002)]
    assert await queue.get_waiting_count() == 1001

    runs = Runs()
    with counting_trips() as trips:
        await start_worker(runs, url=proxy.url, concurrency=500, run_retry_delay=0.05)
        await eventually(lambda: len(runs.counts) > 400)
        proxy.cut()
        await eventually(lambda: all_completed(queue, 1001), timeout=PATIENCE)
    assert set(runs.counts.values()) == {1}
    assert len(runs.counts) == 1001
