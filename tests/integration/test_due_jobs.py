"""Delayed jobs start when they are due, whatever the server does about waits that are over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Job, JobSpec, Queue
from toril.store.redis.jobs import RedisJobs
from toril.store.redis.waiting import RedisWaiter
from toril.store.values import Settled


async def nothing(job: Job) -> None:
    """A handler that does nothing."""


async def test_a_due_job_needs_no_word_of_the_server(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hear_nothing(waiter: RedisWaiter, timeout: float) -> None:
        listening.set()
        await asyncio.Event().wait()

    listening = asyncio.Event()
    monkeypatch.setattr(RedisWaiter, "wait", hear_nothing)
    jobs = [await queue.add("work", delay=0.1 * n) for n in (1, 2, 3)]
    await start_worker(nothing)
    await listening.wait()

    await asyncio.gather(*(job.result(timeout=10) for job in jobs))


async def test_a_job_that_is_told_of_while_the_worker_waits_is_started_when_due(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hear_once(waiter: RedisWaiter, timeout: float) -> int | None:
        if words:
            await asyncio.Event().wait()
        words.append(await heard(waiter, timeout))
        return words[0]

    words: list[int | None] = []
    heard = RedisWaiter.wait
    monkeypatch.setattr(RedisWaiter, "wait", hear_once)
    await start_worker(nothing)
    job = await queue.add("work", delay=0.1)

    await job.result(timeout=10)
    assert words == [job.timestamp_ms + 100]


async def test_word_that_comes_before_an_older_answer_is_not_lost(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hear(waiter: RedisWaiter, timeout: float) -> int | None:
        listening.set()
        word = await heard(waiter, timeout)
        listening.clear()
        if word is not None:
            words.append(word)
        return word

    async def run(job: Job) -> None:
        # A taken job tells others that there may be more; the worker hears that itself, and listens again.
        await eventually(lambda: len(words) >= 2 and listening.is_set())

    async def settle(jobs: RedisJobs, *args: Any, **options: Any) -> Settled:
        settled = await settled_by(jobs, *args, **options)
        if args[1]:
            before = len(words)
            await queue.add("second")
            await eventually(lambda: len(words) > before)
            monkeypatch.setattr(RedisJobs, "settle", settled_by)
        return settled

    words: list[int] = []
    listening = asyncio.Event()
    heard, settled_by = RedisWaiter.wait, RedisJobs.settle
    monkeypatch.setattr(RedisWaiter, "wait", hear)
    monkeypatch.setattr(RedisJobs, "settle", settle)
    await start_worker(run, concurrency=2, drain_delay=60)
    await queue.add("first")

    await eventually(lambda: _completed(queue, 2))


async def test_a_due_job_takes_few_calls(
    queue: Queue, start_worker: WorkerStarter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def settle(jobs: RedisJobs, *args: Any, **options: Any) -> Settled:
        calls.append(args)
        return await settled_by(jobs, *args, **options)

    calls: list[Any] = []
    settled_by = RedisJobs.settle
    monkeypatch.setattr(RedisJobs, "settle", settle)
    await start_worker(nothing)
    await queue.add_many([JobSpec("work", options={"delay": 0.2 + 0.02 * n}) for n in range(20)])
    await eventually(lambda: _completed(queue, 20))

    # One to take it and one to settle it; the end of the listener's wait may add another look.
    assert len(calls) <= 3 * 20 + 5


async def _completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count
