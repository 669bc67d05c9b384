"""What a child costs a job."""

from __future__ import annotations

import time

import psutil

from tests.fault.isolation import handlers
from tests.support.factories import WorkerFactory
from toril import Queue
from toril.core.worker.isolation.options import ChildOptions
from toril.core.worker.isolation.pool import ChildPool

JOBS = 1000


async def test_a_job_costs_less_than_a_millisecond_of_both_processes(
    queue: Queue, new_worker: WorkerFactory
) -> None:
    await queue.add("work")
    job = await new_worker().get_next_job()
    assert job is not None
    pool = ChildPool(ChildOptions())
    handler = pool.add(handlers.pid, "handler")
    child = psutil.Process(await pool.run(handler, job))

    def spent() -> float:
        """Seconds of the processor: what else the machine does has little to do with them."""
        times = child.cpu_times()
        return time.process_time() + times.user + times.system

    before = spent()
    for _ in range(JOBS):
        await pool.run(handler, job)
    cost = (spent() - before) / JOBS

    await pool.close()
    assert cost < 0.001
