"""Large payloads beside small ones: no call carries much more than one of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.support.eventually import all_completed, eventually
from tests.support.factories import WorkerStarter
from tests.support.trips import counting_trips
from toril import Job, Queue
from toril.store.redis.jobs import RedisJobs
from toril.store.values import Settled

LARGE = "x" * 1_000_000
# One that is large comes on top of what was just not enough to close a call.
HEAVIEST = 2_100_000


async def add_all(queue: Queue) -> None:
    """A thousand small jobs and twenty large ones, by as many callers at once."""
    payloads = [LARGE if n % 51 == 0 else n for n in range(1020)]
    await asyncio.gather(*(queue.add("work", payload) for payload in payloads))


async def test_no_call_is_much_larger_than_one_payload(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def settle(jobs: RedisJobs, *args: Any, **options: Any) -> Settled:
        settled = await settled_by(jobs, *args, **options)
        taken.append([len(job.fields[b"data"]) for job in settled.taken.jobs])
        return settled

    async def echo(job: Job) -> Any:
        runs[job.id] += 1
        return job.data

    taken: list[list[int]] = []
    runs: Counter[str] = Counter()
    settled_by = RedisJobs.settle
    monkeypatch.setattr(RedisJobs, "settle", settle)
    with counting_trips() as trips:
        await add_all(queue)
        await start_worker(echo, concurrency=100)
        await eventually(lambda: all_completed(queue, 1020), timeout=60)

    assert len(runs) == 1020
    assert set(runs.values()) == {1}
    sent = [sum(len(word) for word in words if isinstance(word, bytes)) for words in trips.commands]
    assert max(sent) < HEAVIEST
    assert max(map(sum, taken)) < HEAVIEST
    # What is small still shares its way.
    assert max(map(len, taken)) == 50
    assert len(taken) < 150


async def test_small_jobs_of_other_queues_get_their_turn_between_large_ones(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty large jobs wait; none of them is taken before there is room for it in an answer."""

    async def settle(jobs: RedisJobs, *args: Any, **options: Any) -> Settled:
        settled = await settled_by(jobs, *args, **options)
        taken.append(len(settled.taken.jobs))
        return settled

    async def wait(job: Job) -> None:
        await go_on.wait()

    taken: list[int] = []
    go_on = asyncio.Event()
    settled_by = RedisJobs.settle
    monkeypatch.setattr(RedisJobs, "settle", settle)
    for _ in range(50):
        await queue.add("large", LARGE)
    await start_worker(wait, concurrency=100)
    await eventually(lambda: sum(taken) == 50)
    go_on.set()

    assert max(taken) == 1
