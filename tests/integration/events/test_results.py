"""Waiting for results: how often the server is asked, and what must not be mistaken for a result."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.trips import counting_trips
from toril import Job, JobRemoved, JobSpec, Queue
from toril.store.opening import open_store
from toril.store.redis.script import script


async def double(job: Job) -> int:
    """A handler with a result."""
    return 2 * job.data


async def test_a_first_add_waits_for_the_server_three_times(url: str, new_queue: QueueFactory) -> None:
    await new_queue("before").add("work")
    store = open_store(url)
    with counting_trips() as trips:
        await new_queue("after", store=store).add("work")
    await store.close()

    # For a look at the server, for the queue's meta, and for the job.
    assert trips.waits == 3
    assert len(trips.running("INFO")) == 3


async def test_a_result_takes_one_look_and_the_news(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(double)
    assert await (await queue.add("work", 1)).result(timeout=5) == 2
    with counting_trips() as trips:
        for n in range(20):
            assert await (await queue.add("work", n)).result(timeout=5) == 2 * n

    assert len(trips.calls(script("outcome").digest)) == 20
    assert trips.calls(script("read_events").digest) == []
    assert trips.calls(script("stream_end").digest) == []
    assert [words for words in trips.running("CLIENT") if words[1] == "UNBLOCK"] == []
    # Added, active, completed.
    assert len(trips.running("XREAD")) <= 3 * 20 + 1


async def test_results_of_a_crowd_are_read_by_looks(queue: Queue, start_worker: WorkerStarter) -> None:
    jobs = [
        job for job in await queue.add_many([JobSpec("work", n) for n in range(500)]) if isinstance(job, Job)
    ]
    waiting = [asyncio.create_task(job.result(timeout=20)) for job in jobs]
    await asyncio.sleep(0)
    with counting_trips() as trips:
        await start_worker(double, concurrency=100)
        assert await asyncio.gather(*waiting) == [2 * n for n in range(500)]

    looks = trips.calls(script("read_events").digest)
    assert 1 <= len(looks) + len(trips.running("XREAD")) < 250


async def test_a_new_job_of_an_old_id_is_waited_for(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(double)
    for n in range(20):
        job = await queue.add("work", n, job_id="same")
        assert await job.result(timeout=5) == 2 * n
        await job.remove()


async def test_a_waiter_hears_of_a_removal(queue: Queue) -> None:
    job = await queue.add("work", 1)
    with counting_trips() as trips:
        waiting = asyncio.create_task(job.result(timeout=5))
        await eventually(lambda: trips.running("XREAD"))
    await job.remove()

    with pytest.raises(JobRemoved):
        await waiting
