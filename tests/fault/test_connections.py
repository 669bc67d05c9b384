"""Connections that are cut, that freeze, that are refused: whoever used them goes on by himself."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from tests.support.eventually import all_completed, eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.proxy import Proxy
from toril import Job, Queue, StoreUnavailable


class Runs:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    async def __call__(self, job: Job) -> str:
        self.counts[job.id] += 1
        await asyncio.sleep(0.002)
        return job.name


async def test_a_worker_whose_connections_are_cut_while_idle_goes_on(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    await start_worker(Runs(), url=proxy.url)
    await (await queue.add("before")).result(timeout=5)
    await eventually(lambda: proxy.taken >= 2)
    assert proxy.cut() >= 2

    assert await (await queue.add("after")).result(timeout=3) == "after"


async def test_it_goes_on_after_being_cut_again_and_again(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(Runs(), url=proxy.url)
    for number in range(5):
        proxy.cut()
        assert await (await queue.add(str(number))).result(timeout=5) == str(number)

    assert worker.health == "healthy"


async def test_a_cut_while_a_job_runs_does_not_run_it_twice(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        runs.append(job.id)
        started.set()
        await go_on.wait()
        return "done"

    runs: list[str] = []
    started, go_on = asyncio.Event(), asyncio.Event()
    await start_worker(handler, url=proxy.url)
    job = await queue.add("work")
    await started.wait()
    proxy.cut()
    go_on.set()

    assert await job.result(timeout=5) == "done"
    assert runs == ["1"]


async def test_a_producer_whose_connection_is_cut_goes_on(new_queue: QueueFactory, proxy: Proxy) -> None:
    queue = new_queue(url=proxy.url)
    await queue.add("before")
    proxy.cut()

    assert (await queue.add("after")).id == "2"


async def test_whoever_waits_for_a_result_still_gets_it(
    new_queue: QueueFactory, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        await go_on.wait()
        return "done"

    go_on = asyncio.Event()
    await start_worker(handler)
    job = await new_queue(url=proxy.url).add("work")
    waiting = asyncio.create_task(job.result(timeout=10))
    await eventually(lambda: proxy.taken >= 2)
    proxy.cut()
    go_on.set()

    assert await waiting == "done"


async def test_a_frozen_connection_holds_up_but_loses_nothing(
    queue: Queue, new_queue: QueueFactory, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    runs = Runs()
    await start_worker(runs, url=proxy.url, concurrency=4)
    behind = new_queue(url=proxy.url)
    await (await behind.add("before")).result(timeout=5)
    proxy.freeze()
    adding = asyncio.create_task(behind.add("during"))
    jobs = [await queue.add("during") for _ in range(10)]
    asyncio.get_running_loop().call_later(0.5, proxy.thaw)

    await asyncio.gather(*(job.result(timeout=10) for job in (*jobs, await adding)))
    assert set(runs.counts.values()) == {1}


async def test_slow_connections_are_only_slow(
    new_queue: QueueFactory, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    runs = Runs()
    await start_worker(runs, url=proxy.url, concurrency=4)
    proxy.delay = 0.02
    queue = new_queue(url=proxy.url)
    jobs = await asyncio.gather(*(queue.add("work") for _ in range(20)))
    await asyncio.gather(*(job.result(timeout=10) for job in jobs))

    assert set(runs.counts.values()) == {1}


async def test_a_worker_waits_for_a_server_that_hangs_up(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(Runs(), url=proxy.url, run_retry_delay=0.2)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    proxy.refuse()
    proxy.cut()
    job = await queue.add("work")
    await eventually(lambda: worker.health != "healthy")
    assert isinstance(errors[0], StoreUnavailable)
    proxy.refuse(refusing=False)

    assert await job.result(timeout=5) == "work"
    await eventually(lambda: worker.health == "healthy")


async def test_it_tells_once_that_the_server_does_not_answer(
    queue: Queue, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    worker = await start_worker(Runs(), url=proxy.url, run_retry_delay=0.02)
    errors: list[BaseException] = []
    worker.on("error", errors.append)
    proxy.refuse()
    proxy.cut()
    tries = proxy.taken
    await eventually(lambda: proxy.taken > tries + 10)
    proxy.refuse(refusing=False)

    assert await (await queue.add("work")).result(timeout=5) == "work"
    assert len(errors) <= 2


async def test_an_add_gives_up_after_some_seconds(new_queue: QueueFactory, proxy: Proxy) -> None:
    queue = new_queue(url=proxy.url)
    await queue.add("before")
    proxy.refuse()
    proxy.cut()
    begin = time.monotonic()

    with pytest.raises(StoreUnavailable):
        await queue.add("after")
    assert 1 < time.monotonic() - begin < 10


async def test_a_thousand_jobs_survive_connections_that_are_cut_all_the_time(
    queue: Queue, new_queue: QueueFactory, proxy: Proxy, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> None:
        runs[job.id] += 1
        if runs.total() % 40 == 0:
            proxy.cut()
        await asyncio.sleep(0)

    runs: Counter[str] = Counter()
    for _ in range(2):
        await start_worker(handler, url=proxy.url, concurrency=10, run_retry_delay=0.05)
    behind = new_queue(url=proxy.url)
    added = [job for n in range(10) for job in await behind.add_many([(f"{n}", None)] * 100)]
    await eventually(lambda: all_completed(queue, 1000), timeout=30)

    assert all(isinstance(job, Job) and job.created for job in added)
    assert await queue.get_job_counts("waiting", "active", "failed") == {
        "waiting": 0,
        "active": 0,
        "failed": 0,
    }
    assert len(runs) == 1000
    assert set(runs.values()) == {1}
    assert {job.attempts_made for job in await queue.get_completed()} == {1}
    assert proxy.taken > 20
