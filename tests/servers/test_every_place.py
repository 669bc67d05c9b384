"""What a queue is used for, at every kind of server and by every way to name it."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from tests.servers.places import MAKERS, Place
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, Queue

pytestmark = pytest.mark.usefixtures("no_leaks")


async def double(job: Job) -> int:
    return 2 * job.data


@pytest.mark.parametrize("place", MAKERS, indirect=True)
async def test_jobs_are_stored_where_the_url_says(queue: Queue, place: Place, prefix: str) -> None:
    job = await queue.add("count", {"n": 1})

    assert job.id == "1"
    assert f"{prefix}:tasks:1" in place.stored_keys()
    assert await queue.get_job_counts("waiting") == {"waiting": 1}


async def test_a_worker_runs_what_was_added(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(double)
    job = await queue.add("double", 21)

    assert await job.result(timeout=10) == 42


async def test_many_jobs_are_added_and_run(queue: Queue, start_worker: WorkerStarter) -> None:
    jobs = await queue.add_many([("double", n) for n in range(250)])
    await start_worker(double, concurrency=20)

    results = await asyncio.gather(*(job.result(timeout=10) for job in jobs if isinstance(job, Job)))

    assert results == [2 * n for n in range(250)]


async def test_many_jobs_are_added_all_or_none(queue: Queue) -> None:
    jobs = await queue.add_many([("double", n) for n in range(5)], atomic=True)

    assert len(jobs) == await queue.count() == 5


async def test_progress_is_seen_while_the_job_runs(queue: Queue, start_worker: WorkerStarter) -> None:
    seen = asyncio.Event()

    async def report(job: Job) -> str:
        await job.update_progress({"done": 50})
        await asyncio.wait_for(seen.wait(), 10)
        return "done"

    await start_worker(report)
    job = await queue.add("report")

    async def reported() -> bool:
        found = await queue.get_job(job.id)
        return found is not None and found.progress == {"done": 50}

    assert await eventually(reported)
    seen.set()
    assert await job.result(timeout=10) == "done"


async def test_a_delayed_job_runs_when_it_is_due(queue: Queue, start_worker: WorkerStarter) -> None:
    await start_worker(double)
    job = await queue.add("double", 4, delay=0.3)

    assert await job.result(timeout=10) == 8
    finished = await queue.get_job(job.id)
    assert finished is not None
    assert finished.processed_on_ms is not None
    assert finished.processed_on_ms - finished.timestamp_ms >= 300


async def test_a_job_that_fails_is_tried_again(queue: Queue, start_worker: WorkerStarter) -> None:
    async def fail_twice(job: Job) -> int:
        if job.attempts_made < 2:
            raise ValueError("not yet")
        return job.attempts_made

    await start_worker(fail_twice)
    job = await queue.add("stubborn", attempts=3, backoff=0.05)

    assert await job.result(timeout=10) == 2


async def test_a_waiting_worker_hears_of_a_job(
    queue: Queue, start_worker: WorkerStarter, place: Place
) -> None:
    worker = await start_worker(double, drain_delay=10.0)
    await eventually(lambda: "bzpopmin" in [cmd for server in place.servers for cmd in server.clients()])

    started = time.monotonic()
    job = await queue.add("double", 3)

    assert await job.result(timeout=10) == 6
    assert time.monotonic() - started < 5.0
    assert worker.health == "healthy"


def _hold_up(seconds: float) -> None:
    """Keep the loop, longer than the lock lasts: only a thread of its own can renew it meanwhile."""
    threading.Event().wait(seconds)


@pytest.mark.parametrize("place", ["redis", "sentinel", "cluster-3-nodes"], indirect=True)
async def test_locks_are_renewed_while_a_handler_blocks_the_loop(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    runs: list[str] = []
    errors: list[BaseException] = []

    async def block(job: Job) -> str:
        runs.append(job.id)
        _hold_up(2.5)
        return "kept"

    # Long enough for a thread that must find the nodes of a cluster first, on a machine that has more to do.
    worker = await start_worker(block, lock_duration=1.5, stalled_interval=0.2)
    worker.on("error", errors.append)
    job = await queue.add("long")

    assert await job.result(timeout=10) == "kept"
    assert (runs, errors) == ([job.id], [])
