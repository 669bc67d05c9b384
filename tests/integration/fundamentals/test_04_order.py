"""Who comes first."""

from __future__ import annotations

import asyncio

from tests.support.factories import WorkerStarter
from toril import Job, Queue


async def order_of(queue: Queue, start_worker: WorkerStarter) -> list[str]:
    """The names of the waiting jobs in the order in which one worker runs them."""
    order: list[str] = []
    count = await queue.count()
    done = asyncio.Event()

    async def handler(job: Job) -> None:
        order.append(job.name)
        if len(order) == count:
            done.set()

    await start_worker(handler)
    await asyncio.wait_for(done.wait(), 5)
    return order


async def test_the_first_job_added_is_the_first_to_run(queue: Queue, start_worker: WorkerStarter) -> None:
    await queue.add_many([(str(number), None) for number in range(10)])

    assert await order_of(queue, start_worker) == [str(number) for number in range(10)]


async def test_a_job_with_lifo_goes_to_the_front(queue: Queue, start_worker: WorkerStarter) -> None:
    await queue.add("a")
    await queue.add("b")
    await queue.add("c", lifo=True)
    await queue.add("d", lifo=True)

    assert await order_of(queue, start_worker) == ["d", "c", "a", "b"]


async def test_the_lower_the_priority_number_the_sooner(queue: Queue, start_worker: WorkerStarter) -> None:
    for name, priority in (("low", 10), ("high", 1), ("middle", 5), ("high too", 1)):
        await queue.add(name, priority=priority)

    assert await order_of(queue, start_worker) == ["high", "high too", "middle", "low"]


async def test_jobs_without_priority_go_before_all_others(queue: Queue, start_worker: WorkerStarter) -> None:
    await queue.add("urgent", priority=1)
    await queue.add("plain")

    assert await order_of(queue, start_worker) == ["plain", "urgent"]


async def test_a_queue_counts_its_jobs_by_priority(queue: Queue) -> None:
    await queue.add_many([("work", None, {"priority": priority}) for priority in (0, 1, 1, 1, 7)])

    assert await queue.get_counts_per_priority([0, 1, 2, 7]) == {0: 1, 1: 3, 2: 0, 7: 1}
    assert [job.priority for job in await queue.get_prioritized()] == [1, 1, 1, 7]
