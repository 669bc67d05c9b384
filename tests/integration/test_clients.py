"""Who works on a queue and who listens to it; which queues there are."""

from __future__ import annotations

import asyncio
import logging

import pytest

import toril.sync
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.server import OwnServer
from toril import Job, OptionError, Queue, list_queues


async def work(job: Job) -> None:
    pass


async def test_workers_are_found_by_their_connections(
    queue: Queue, start_worker: WorkerStarter, new_queue: QueueFactory
) -> None:
    assert await queue.get_workers() == []
    await start_worker(work, name="alice:w:2")
    await start_worker(work)
    await start_worker(work, "other")

    await eventually(lambda: _has_workers(queue, 2))
    workers = {worker.name: worker for worker in await queue.get_workers()}
    assert set(workers) == {"alice:w:2", None}
    assert all(worker.id.isdigit() and worker.age >= worker.idle >= 0 for worker in workers.values())
    await eventually(lambda: _waits(queue))
    assert await new_queue("other").get_workers_count() == 1
    assert await new_queue("task").get_workers_count() == 0


async def _waits(queue: Queue) -> bool:
    [nameless] = [worker for worker in await queue.get_workers() if worker.name is None]
    return nameless.fields["cmd"] == "bzpopmin"


async def _has_workers(queue: Queue, count: int) -> bool:
    return await queue.get_workers_count() == count


async def test_a_worker_that_was_busy_from_the_start_is_found(
    queue: Queue, start_worker: WorkerStarter
) -> None:
    async def busy(job: Job) -> None:
        await go_on.wait()

    go_on = asyncio.Event()
    await queue.add("work")
    worker = await start_worker(busy)

    await eventually(lambda: _has_workers(queue, 1))
    assert not worker.is_idle
    go_on.set()


async def test_a_closed_worker_is_gone(queue: Queue, start_worker: WorkerStarter) -> None:
    worker = await start_worker(work)
    await eventually(lambda: _has_workers(queue, 1))
    await worker.close()
    await eventually(lambda: _has_workers(queue, 0))


async def test_who_waits_for_results_reads_events(queue: Queue) -> None:
    job = await queue.add("work")
    waiting = asyncio.create_task(job.result())
    readers = await eventually(queue.get_queue_events)
    assert [reader.fields["name"].endswith(":qe") for reader in readers] == [True]
    assert await queue.get_workers() == []
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_a_server_that_does_not_tell(
    tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    with OwnServer(tmp_path_factory.mktemp("own")) as server:
        with Database(server.url) as database:
            database.command("ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-client|list")
        async with Queue("tasks", url=server.url.replace("//", "//app:secret@")) as queue:
            with caplog.at_level(logging.WARNING, "toril"):
                assert await queue.get_workers() == []
    assert "does not tell who is connected" in caplog.text


async def test_queues_are_found_by_their_meta(
    queue: Queue, new_queue: QueueFactory, database: Database, url: str, prefix: str
) -> None:
    await new_queue("a*?[b]\\").ready()
    await new_queue("ärger").ready()
    await queue.add("work", job_id="meta1")
    database.command("HSET", f"{prefix}:tasks:a:meta", "of", "a job")
    database.command("SET", f"{prefix}:text:meta", "no hash")
    database.command("HSET", f"{prefix}:deep:hidden:meta", "version", "of another prefix")
    database.command("HSET", f"{prefix}x:tasks:meta", "version", "of another prefix")

    assert await list_queues(url, prefix=prefix) == ["a*?[b]\\", "tasks", "ärger"]
    assert await list_queues(url, prefix=f"{prefix}:deep") == ["hidden"]
    assert await list_queues(url, prefix="*") == []
    assert await asyncio.to_thread(toril.sync.list_queues, url, prefix=f"{prefix}x") == ["tasks"]
    with pytest.raises(OptionError, match="prefix=''"):
        await list_queues(url, prefix="")


async def test_queues_are_found_among_many_keys(queue: Queue, url: str, prefix: str) -> None:
    await queue.add_many(("work", number) for number in range(5_000))

    assert await list_queues(url, prefix=prefix) == ["tasks"]
