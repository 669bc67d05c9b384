"""Handlers that are told that they should come to an end, and may do so as they like."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from tests.support.factories import WorkerStarter
from toril import BlockingJob, Job, JobFailed, Queue, SoftTimeout

SOFT = 0.05
# Far enough from it for a busy machine to tell one from the other.
HARD = 0.5


async def test_a_coroutine_may_save_what_it_has(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> str:
        try:
            await asyncio.Event().wait()
        except SoftTimeout as told:
            await asyncio.sleep(0.01)
            return f"saved: {told}"
        return "never"

    await start_worker(handler, soft_timeout=SOFT)

    assert await (await queue.add("slow")).result(timeout=5) == "saved: soft timeout after 0.05 s"


async def test_who_does_not_catch_it_has_failed_and_is_tried_again(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        if job.attempts_started == 1:
            with suppress(Exception):
                await asyncio.Event().wait()
        return "second"

    await start_worker(handler, soft_timeout=SOFT)
    job = await queue.add("slow", attempts=2)

    assert await job.result(timeout=5) == "second"
    await job.refresh()
    assert "SoftTimeout: soft timeout after 0.05 s" in job.stacktrace[0]


async def test_the_hard_limit_comes_all_the_same(queue: Queue, start_worker: WorkerStarter) -> None:
    heard: list[str] = []

    async def handler(job: Job) -> None:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except SoftTimeout:
                heard.append("soft")
            except asyncio.CancelledError:
                heard.append("hard")
                raise

    await start_worker(handler, soft_timeout=SOFT, timeout=HARD)
    with pytest.raises(JobFailed) as caught:
        await (await queue.add("slow")).result(timeout=5)

    assert heard == ["soft", "hard"]
    assert caught.value.reason == "timed out after 0.5 s"


async def in_a_task_group(ended: list[str]) -> None:
    async def child() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("child")

    async with asyncio.TaskGroup() as group:
        group.create_task(child())
        group.create_task(child())


async def in_a_timeout(ended: list[str]) -> None:
    try:
        async with asyncio.timeout(60):
            await asyncio.Event().wait()
    finally:
        ended.append("timeout")


async def in_wait_for(ended: list[str]) -> None:
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 60)
    finally:
        ended.append("wait_for")


async def in_gather(ended: list[str]) -> None:
    async def child() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("gathered")

    await asyncio.gather(child(), child())


@pytest.mark.parametrize(
    ("wait", "leaves"),
    [
        (in_a_task_group, ["child", "child"]),
        (in_a_timeout, ["timeout"]),
        (in_wait_for, ["wait_for"]),
        (in_gather, ["gathered", "gathered"]),
    ],
)
async def test_it_leaves_no_child_behind(
    queue: Queue, start_worker: WorkerStarter, wait: Any, leaves: list[str]
) -> None:
    ended: list[str] = []

    async def handler(job: Job) -> list[str]:
        try:
            await wait(ended)
        except SoftTimeout:
            await asyncio.sleep(0)
            task = asyncio.current_task()
            assert task is not None
            assert task.cancelling() == 0
            return list(ended)
        return ["never"]

    await start_worker(handler, soft_timeout=SOFT)

    assert await (await queue.add("slow")).result(timeout=5) == leaves


async def test_a_thread_hears_of_it_when_it_asks_and_once(queue: Queue, start_worker: WorkerStarter) -> None:
    def handler(job: BlockingJob) -> str:
        try:
            while not job.cancelled.wait(0.005):
                job.check_cancelled()
        except SoftTimeout as told:
            job.check_cancelled()
            return f"saved: {told}"
        return "never"

    await start_worker(handler, soft_timeout=SOFT, timeout=5)

    assert await (await queue.add("slow")).result(timeout=5) == "saved: soft timeout after 0.05 s"


async def test_a_thread_that_does_not_heed_it_runs_into_the_hard_limit(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    heard: list[str] = []

    def handler(job: BlockingJob) -> None:
        with suppress(SoftTimeout):
            while not job.cancelled.wait(0.005):
                job.check_cancelled()
        heard.append("soft")
        job.cancelled.wait(10)
        heard.append("hard")

    await start_worker(handler, soft_timeout=SOFT, timeout=HARD)
    with pytest.raises(JobFailed) as caught:
        await (await queue.add("slow")).result(timeout=5)

    assert heard == ["soft", "hard"]
    assert caught.value.reason == "timed out after 0.5 s"


async def test_a_job_may_say_so_itself(queue: Queue, start_worker: WorkerStarter) -> None:
    async def handler(job: Job) -> str:
        try:
            await asyncio.Event().wait()
        except SoftTimeout as told:
            return str(told)
        return "never"

    await start_worker(handler, soft_timeout=60)

    assert await (await queue.add("slow", soft_timeout=0.02)).result(timeout=5) == "soft timeout after 0.02 s"
