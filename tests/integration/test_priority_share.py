"""Jobs of a low priority run, whatever goes before them."""

from __future__ import annotations

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerFactory, WorkerStarter
from toril import AddOptions, Job, JobSpec, Queue

FLOOD = 10_000


def urgent_jobs(count: int, priority: int = 1) -> list[JobSpec]:
    return [JobSpec("urgent", None, AddOptions(priority=priority))] * count


class Line:
    """A handler that notes in which order jobs of which priority were started."""

    def __init__(self) -> None:
        self.priorities: list[int] = []

    async def __call__(self, job: Job) -> None:
        self.priorities.append(job.priority)


async def flood(queue: Queue, priority: int) -> None:
    for _ in range(10):
        await queue.add_many(urgent_jobs(FLOOD // 10, priority))


@pytest.mark.parametrize("urgent", [0, 1])
@pytest.mark.parametrize("slots", [1, 20])
async def test_a_low_priority_waits_for_few_others(
    queue: Queue, start_worker: WorkerStarter, urgent: int, slots: int
) -> None:
    """Ten thousand go before it, and more are added all the time."""
    line = Line()
    await flood(queue, urgent)
    worker = await start_worker(line, concurrency=slots, priority_share=0.1)
    await eventually(lambda: len(line.priorities) > 100)
    await worker.pause()
    before = len(line.priorities)
    await queue.add("low", None, priority=50)
    await worker.resume()
    await eventually(lambda: 50 in line.priorities)

    # One in ten of what is taken, and of what is taken at a time.
    assert line.priorities.index(50) - before <= 10 + slots
    assert await queue.get_counts_per_priority([urgent]) != {urgent: 0}


async def test_without_a_share_it_waits_for_all(queue: Queue, start_worker: WorkerStarter) -> None:
    line = Line()
    await queue.add("low", None, priority=50)
    await queue.add_many(urgent_jobs(500))
    await start_worker(line, concurrency=20)
    await eventually(lambda: len(line.priorities) == 501)

    assert line.priorities.index(50) == 500


async def test_the_share_is_kept_and_goes_by_age(queue: Queue, start_worker: WorkerStarter) -> None:
    line = Line()
    await queue.add_many([JobSpec("low", None, AddOptions(priority=5 + n % 3)) for n in range(60)])
    await queue.add_many(urgent_jobs(1000))
    await start_worker(line, priority_share=0.2)
    await eventually(lambda: len(line.priorities) == 1060)

    first = line.priorities[:200]
    assert 38 <= 200 - first.count(1) <= 42
    assert [priority for priority in first if priority != 1] == [
        5 + n % 3 for n in range(200 - first.count(1))
    ]


async def test_a_share_holds_by_hand_too(queue: Queue, new_worker: WorkerFactory) -> None:
    await queue.add("low", None, priority=9)
    await queue.add_many([("urgent", None)] * 20)
    worker = new_worker(None, priority_share=0.25)
    taken = [job.name for _ in range(8) if (job := await worker.get_next_job(block=False))]

    assert taken == ["urgent"] * 3 + ["low"] + ["urgent"] * 4
