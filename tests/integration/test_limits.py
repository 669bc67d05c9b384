"""Limits of a queue, and how workers that run keep to them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, OptionError, Queue, RateLimit, RateLimiter

# What this machine may be late by, in seconds; it has other things to do.
SLACK = 0.4


class Starts:
    """When jobs were started, in seconds after this was made."""

    def __init__(self) -> None:
        self._epoch = time.monotonic()
        self.times: list[float] = []

    async def note(self, job: Job) -> None:
        self.times.append(self.now())

    def now(self) -> float:
        return time.monotonic() - self._epoch

    async def wait_for(self, count: int) -> list[float]:
        await eventually(lambda: len(self.times) >= count, timeout=20)
        return self.times

    def most_within(self, seconds: float) -> int:
        """How many there were in the busiest stretch of so many seconds."""
        return max(sum(first <= other < first + seconds for other in self.times) for first in self.times)


async def test_limits_are_kept_with_the_queue(queue: Queue) -> None:
    assert await queue.get_global_concurrency() is None
    assert await queue.get_global_rate_limit() is None
    assert not await queue.is_maxed()

    await queue.set_global_concurrency(3)
    await queue.set_global_rate_limit(5, timedelta(seconds=1.5))
    assert await queue.get_global_concurrency() == 3
    assert await queue.get_global_rate_limit() == RateLimiter(5, 1.5)
    meta = await queue.get_meta()
    assert (meta["concurrency"], meta["max"], meta["duration"]) == (3, 5, 1500)

    await queue.remove_global_concurrency()
    await queue.remove_global_rate_limit()
    assert await queue.get_global_concurrency() is None
    assert await queue.get_global_rate_limit() is None


Verb = Callable[[Queue, Any], Awaitable[Any]]

UNUSABLE: list[tuple[str, Verb, object]] = [
    *(("concurrency", Queue.set_global_concurrency, value) for value in (0, -1, 2.0, 1.5, True, "2", None)),
    *(("max_jobs", lambda queue, value: queue.set_global_rate_limit(value, 1), n) for n in (0, -1, 1.5)),
    *(("duration", lambda queue, value: queue.set_global_rate_limit(1, value), n) for n in (0, -1, 1e-4)),
    *(("duration", Queue.rate_limit, value) for value in (0, -1, math.nan, math.inf, "1", 1e-4)),
    *(("max_jobs", Queue.get_rate_limit_ttl, value) for value in (0, -1, 1.5)),
]


@pytest.mark.parametrize(("option", "verb", "value"), UNUSABLE)
async def test_what_makes_no_sense_is_refused(queue: Queue, option: str, verb: Verb, value: object) -> None:
    before = await queue.get_meta()

    with pytest.raises(OptionError) as caught:
        await verb(queue, value)
    assert caught.value.option == option
    assert await queue.get_meta() == before
    assert await queue.get_rate_limit_ttl() is None


async def test_the_rest_of_a_limit_is_known(queue: Queue) -> None:
    assert await queue.get_rate_limit_ttl() is None
    assert await queue.get_rate_limit_ttl(1) == 0.0

    await queue.rate_limit(60)
    for left in (await queue.get_rate_limit_ttl(), await queue.get_rate_limit_ttl(10)):
        assert left is not None
        assert 50 < left <= 60

    await queue.remove_rate_limit_key()
    assert await queue.get_rate_limit_ttl() is None
    await queue.set_global_rate_limit(1, 60)
    assert await queue.get_rate_limit_ttl() == 0.0


@pytest.mark.parametrize("limited_by", ["queue", "worker"])
async def test_two_workers_keep_to_one_rate_and_use_it(
    queue: Queue, start_worker: WorkerStarter, limited_by: str
) -> None:
    most, window, windows = 5, 0.5, 4
    options: dict[str, Any] = {"concurrency": 10}
    if limited_by == "queue":
        await queue.set_global_rate_limit(most, window)
    else:
        options["limiter"] = RateLimiter(most, window)
    starts = Starts()
    for _ in range(2):
        await start_worker(starts.note, **options)
    await queue.add_many([("work", n) for n in range(most * windows)])

    times = await starts.wait_for(most * windows)
    # A window begins with its first job. That some notes are late brings them nearer to the next window.
    assert starts.most_within(window * 0.8) <= most
    assert times[-1] - times[0] <= (windows - 1) * window + SLACK


async def test_a_limit_by_hand_holds_all_jobs_just_as_long_as_it_says(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    starts = Starts()
    await queue.rate_limit(0.5)
    begun = starts.now()
    await start_worker(starts.note, concurrency=3, limiter=RateLimiter(1000, 1))
    await queue.add_many([("work", n) for n in range(3)])

    times = await starts.wait_for(3)
    assert 0.45 <= times[0] - begun <= 0.5 + SLACK
    assert times[-1] - times[0] < SLACK


@pytest.mark.parametrize("limiter", [None, RateLimiter(1000, 1)], ids=["without", "with"])
async def test_a_handler_that_is_told_to_come_later_is_left_alone_for_so_long(
    queue: Queue, start_worker: WorkerStarter, limiter: RateLimiter | None
) -> None:
    starts = Starts()

    async def handler(job: Job) -> None:
        await starts.note(job)
        if len(starts.times) == 1:
            raise RateLimit(0.5)

    await start_worker(handler, limiter=limiter)
    jobs = [await queue.add("work"), await queue.add("work")]
    await asyncio.gather(*(job.result(timeout=10) for job in jobs))

    times = starts.times
    assert len(times) == 3
    assert 0.45 <= times[1] - times[0] <= 0.5 + SLACK
    for job in jobs:
        await job.refresh()
        assert job.attempts_made == 1


async def test_the_longest_of_several_limits_counts(queue: Queue, start_worker: WorkerStarter) -> None:
    starts = Starts()
    both_run = asyncio.Barrier(2)

    async def handler(job: Job) -> None:
        await starts.note(job)
        if len(starts.times) <= 2:
            await both_run.wait()
            if job.data == "short":
                raise RateLimit(0.2)
            # The other job's limit has begun.
            await eventually(queue.get_rate_limit_ttl)
            raise RateLimit(0.7)

    await start_worker(handler, concurrency=2)
    jobs = [await queue.add("work", data) for data in ("short", "long")]
    await asyncio.gather(*(job.result(timeout=10) for job in jobs))

    assert len(starts.times) == 4
    assert starts.times[2] - starts.times[1] >= 0.65


class Gate:
    """A handler that runs until it is told to end; counts how many run."""

    def __init__(self) -> None:
        self.running = 0
        self.most = 0
        self.open = asyncio.Event()

    async def handle(self, job: Job) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.open.wait()
        finally:
            self.running -= 1

    async def until(self, running: int, timeout: float = 2.0) -> None:
        """Wait for so many; two seconds are far less than a worker waits without word."""
        await eventually(lambda: self.running == running, timeout)


async def test_raising_the_global_concurrency_lets_jobs_start_at_once(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    gate = Gate()
    await queue.set_global_concurrency(1)
    for _ in range(3):
        await start_worker(gate.handle)
    await queue.add_many([("work", n) for n in range(6)])
    await gate.until(1)
    assert await queue.is_maxed()

    await queue.set_global_concurrency(2)
    await gate.until(2)
    await queue.remove_global_concurrency()
    await gate.until(3)

    gate.open.set()
    await eventually(lambda: _all_done(queue, 6))


def _waiting_for_jobs(database: Database) -> int:
    """How many wait for jobs now; workers wait for word of cancelled ones, too."""
    clients = database.clients()
    return sum(client["cmd"] == "bzpopmin" and "b" in client["flags"] for client in clients)


async def _all_done(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count


async def test_a_slot_that_a_lost_job_held_is_used_when_that_is_cleaned(
    queue: Queue, start_worker: WorkerStarter, database: Database
) -> None:
    gate = Gate()
    await queue.set_global_concurrency(1)
    await queue.add("lost")
    database.command("RPOPLPUSH", f"{queue.ref.base}wait", f"{queue.ref.base}active")
    await start_worker(gate.handle, skip_stalled_check=True)
    await queue.add("waits")
    await eventually(lambda: _waiting_for_jobs(database) == 1)
    # The word of the job that was lost was heard; there was nothing to be had.
    await eventually(lambda: not database.command("EXISTS", f"{queue.ref.base}marker"))

    assert await queue.clean(state="active") == ["1"]
    await gate.until(1)
    gate.open.set()
    assert await eventually(lambda: _all_done(queue, 1))


async def test_the_global_concurrency_is_never_exceeded(queue: Queue, start_worker: WorkerStarter) -> None:
    running = most = 0

    async def handler(job: Job) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    await queue.set_global_concurrency(3)
    for _ in range(3):
        await start_worker(handler, concurrency=4)
    begun = time.monotonic()
    await queue.add_many([("work", n) for n in range(60)])
    await eventually(lambda: _all_done(queue, 60))

    assert most == 3
    assert time.monotonic() - begun < 3


async def test_a_slot_that_a_closing_worker_gives_up_is_taken_by_another(
    queue: Queue, start_worker: WorkerStarter, database: Database
) -> None:
    first, second = Gate(), Gate()
    await queue.set_global_concurrency(1)
    leaving = await start_worker(first.handle)
    await queue.add_many([("work", n) for n in range(2)])
    await first.until(1)
    await start_worker(second.handle)
    # It has found the queue full, and waits for word.
    await eventually(lambda: _waiting_for_jobs(database) == 1)

    closing = asyncio.create_task(leaving.close())
    for _ in range(10):
        await asyncio.sleep(0)
    first.open.set()
    await second.until(1)

    second.open.set()
    await closing
    assert await eventually(lambda: _all_done(queue, 2))
