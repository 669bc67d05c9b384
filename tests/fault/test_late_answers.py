"""The answer to a take comes when the lock is over: who finds the job then runs it, and nobody else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from tests.support.proxy import Proxy
from toril import Job, Queue

LOCK = 0.3
# Each way: the answer is under way for longer than the lock lasts.
FAR = 0.6


def counting(counts: Counter[str], name: str) -> Callable[[Job], Awaitable[str]]:
    async def run(job: Job) -> str:
        counts[name] += 1
        return name

    return run


async def test_a_job_that_another_worker_has_found_is_not_run_again(
    queue: Queue, proxy: Proxy, new_worker: WorkerFactory, start_worker: WorkerStarter
) -> None:
    counts: Counter[str] = Counter()
    far = new_worker(counting(counts, "far"), url=proxy.url, lock_duration=LOCK, skip_stalled_check=True)
    await far.start()
    proxy.delay = FAR
    job = await queue.add("work")
    await eventually(lambda: _is_active(queue), timeout=10)
    await start_worker(counting(counts, "near"), stalled_interval=0.1, lock_duration=LOCK)

    assert await job.result(timeout=10) == "near"
    proxy.delay = 0
    await asyncio.wait_for(far.close(), 20)
    assert counts == {"near": 1}


async def _is_active(queue: Queue) -> bool:
    return await queue.get_active_count() == 1
