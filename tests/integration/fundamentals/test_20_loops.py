"""Objects that are made anywhere, and used in one event loop after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from toril import Job, Queue, Worker


async def double(job: Job) -> int:
    return job.data * 2


@pytest.fixture
def queue(url: str, prefix: str) -> Iterator[Queue]:
    """A queue that is made where no loop runs, as in a module."""
    queue = Queue("tasks", url=url, prefix=prefix)
    yield queue
    asyncio.run(queue.close())


def test_a_worker_is_made_where_no_loop_runs(url: str, prefix: str, queue: Queue) -> None:
    worker = Worker("tasks", double, url=url, prefix=prefix)

    async def use() -> int:
        await worker.start()
        async with queue:
            result = await (await queue.add("double", 21)).result(timeout=5)
        await worker.close()
        return result

    assert asyncio.run(use()) == 42


def test_a_queue_is_used_in_two_loops_one_after_the_other(queue: Queue) -> None:
    async def use() -> str:
        job = await queue.add("work")
        await queue.close()
        return job.id

    assert [asyncio.run(use()), asyncio.run(use())] == ["1", "2"]


def test_each_loop_leaves_its_connections_to_itself(queue: Queue) -> None:
    async def use(count: int) -> list[str]:
        jobs = await asyncio.gather(*(queue.add("work") for _ in range(count)))
        await queue.close()
        return [job.id for job in jobs]

    assert len({id for _ in range(5) for id in asyncio.run(use(10))}) == 50


def test_a_job_from_one_loop_can_be_used_in_the_next(queue: Queue) -> None:
    async def add() -> Job:
        async with queue:
            return await queue.add("work")

    async def look(job: Job) -> str:
        try:
            return await job.state()
        finally:
            await queue.close()

    assert asyncio.run(look(asyncio.run(add()))) == "waiting"


def test_two_loops_at_the_same_time_have_a_queue_each(url: str, prefix: str) -> None:
    async def use() -> int:
        async with Queue("tasks", url=url, prefix=prefix) as queue:
            await asyncio.gather(*(queue.add("work") for _ in range(20)))
            return await queue.count()

    async def in_two_threads() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(asyncio.run, use()) for _ in range(2)))

    assert max(asyncio.run(in_two_threads())) == 40
