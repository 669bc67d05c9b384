"""A server that dies, stands still, forgets its scripts, or is of no use."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerFactory, WorkerStarter
from tests.support.server import OwnServer
from toril import Job, JobSpec, Queue, StoreMisconfigured, StoreUnavailable
from toril.store.redis.connection import Connection


class Runs:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    async def __call__(self, job: Job) -> str:
        self.counts[job.id] += 1
        return job.name


async def fails_soon(attempt: Awaitable[Any], kind: type[Exception], within: float = 5) -> str:
    """An attempt fails in this way and does not hang; what the error says."""
    begin = time.monotonic()
    with pytest.raises(kind) as caught:
        await attempt
    assert time.monotonic() - begin < within
    return str(caught.value)


async def test_nothing_is_lost_when_the_server_is_killed(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queue = new_queue(url=server.url)
    runs = Runs()
    await queue.add_many([("work", None)] * 50)
    await queue.add_many([JobSpec("late", options={"delay": 0.1})] * 10)
    server.kill()
    server.start()
    await start_worker(runs, url=server.url, concurrency=5)

    await eventually(lambda: _all_completed(queue, 60))
    assert sum(runs.counts.values()) == 60


async def test_an_outage_is_logged_in_lines_without_tracebacks(
    server: OwnServer, start_worker: WorkerStarter, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await start_worker(Runs(), url=server.url)
    server.kill()
    await eventually(lambda: worker.health != "healthy")
    await eventually(lambda: "worker error" in caplog.text)

    records = [one for one in caplog.records if one.message.startswith("worker error")]
    assert all(one.exc_info is None for one in records)
    assert all(one.message.startswith("worker error: StoreUnavailable: ") for one in records)
    server.start()


async def _all_completed(queue: Queue, count: int) -> bool:
    try:
        return await queue.get_completed_count() == count
    except StoreUnavailable:
        return False


async def test_a_worker_goes_on_when_the_server_is_back(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queue = new_queue(url=server.url)
    worker = await start_worker(Runs(), url=server.url, run_retry_delay=0.2)
    assert await (await queue.add("before")).result(timeout=5) == "before"
    server.kill()
    await eventually(lambda: worker.health != "healthy")
    server.start()

    assert await (await queue.add("after")).result(timeout=10) == "after"
    await eventually(lambda: worker.health == "healthy")


async def test_a_worker_of_several_queues_goes_on_in_all_of_them(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    runs = Runs()
    queues = [new_queue(name, url=server.url) for name in "abc"]
    worker = await start_worker(runs, {"a": 5, "b": 1, "c": 1}, url=server.url, run_retry_delay=0.2)
    for queue in queues:
        await queue.add_many([("work", None)] * 20)
    server.kill()
    await eventually(lambda: worker.health != "healthy")
    server.start()

    for queue in queues:
        assert await (await queue.add("after")).result(timeout=10) == "after"
        await eventually(lambda queue=queue: _all_completed(queue, 21))


async def test_a_job_that_ran_meanwhile_is_finished_when_the_server_is_back(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    async def handler(job: Job) -> str:
        runs.append(job.id)
        started.set()
        await go_on.wait()
        return "done"

    runs: list[str] = []
    started, go_on = asyncio.Event(), asyncio.Event()
    queue = new_queue(url=server.url)
    worker = await start_worker(handler, url=server.url, run_retry_delay=0.2)
    job = await queue.add("work")
    await started.wait()
    server.kill()
    go_on.set()
    await eventually(lambda: worker.health != "healthy")
    server.start()

    await eventually(lambda: _all_completed(queue, 1))
    await job.refresh()
    assert (job.return_value, runs) == ("done", ["1"])


async def test_a_server_that_stands_still_holds_up_but_loses_nothing(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queue = new_queue(url=server.url)
    runs = Runs()
    worker = await start_worker(runs, url=server.url, concurrency=3)
    await (await queue.add("before")).result(timeout=5)
    server.freeze()
    adding = [asyncio.create_task(queue.add("during")) for _ in range(5)]
    asyncio.get_running_loop().call_later(3, server.thaw)

    jobs = await asyncio.gather(*adding)
    await asyncio.gather(*(job.result(timeout=10) for job in jobs))
    assert (set(runs.counts.values()), len(runs.counts), worker.health) == ({1}, 6, "healthy")


async def test_scripts_that_the_server_forgot_are_sent_again(
    url: str, queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(Runs())
    await (await queue.add("before")).result(timeout=5)
    with Database(url) as database:
        database.command("SCRIPT", "FLUSH")

    assert await (await queue.add("after")).result(timeout=3) == "after"


async def test_a_server_that_is_not_there_is_unavailable(
    new_queue: QueueFactory, new_worker: WorkerFactory
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{probe.getsockname()[1]}/0"

    assert "127.0.0.1" in await fails_soon(new_queue(url=url).add("work"), StoreUnavailable)
    await fails_soon(new_worker(Runs(), url=url).start(), StoreUnavailable)
    await fails_soon(new_worker(Runs(), url=url).run(), StoreUnavailable)
    await fails_soon(new_worker(url=url).get_next_job(), StoreUnavailable)
    await fails_soon(new_queue(url="unix:///nowhere/at/all.sock").ready(), StoreUnavailable)


async def test_a_server_that_says_nothing_is_unavailable(new_queue: QueueFactory) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://:password@127.0.0.1:{silent.getsockname()[1]}/0"

        assert "password" not in await fails_soon(new_queue(url=url).ready(), StoreUnavailable)


async def test_what_failed_at_first_can_be_tried_again(
    tmp_path: Path, new_queue: QueueFactory, new_worker: WorkerFactory
) -> None:
    server = OwnServer(tmp_path)
    queue, worker = new_queue(url=server.url), new_worker(Runs(), url=server.url)
    await fails_soon(queue.add("work"), StoreUnavailable)
    await fails_soon(worker.start(), StoreUnavailable)
    with server:
        await worker.start()
        assert await (await queue.add("work")).result(timeout=5) == "work"
        await worker.close()
        await queue.close()


@pytest.mark.parametrize("user", ["", ":wrong@", "nobody:wrong@"])
async def test_a_wrong_password_is_told(tmp_path: Path, new_queue: QueueFactory, user: str) -> None:
    with OwnServer(tmp_path, requirepass="right") as server:
        queue = new_queue(url=server.url.replace("//", f"//{user}"))
        message = await fails_soon(queue.add("work"), StoreMisconfigured)

    assert "wrong@" not in message


async def test_the_right_password_is_used_everywhere(
    tmp_path: Path, new_queue: QueueFactory, new_worker: WorkerFactory
) -> None:
    with OwnServer(tmp_path, requirepass="right") as server:
        url = server.url.replace("//", "//:right@").replace("/0", "/3")
        queue, worker = new_queue(url=url), new_worker(Runs(), url=url)
        await worker.start()
        assert await (await queue.add("work")).result(timeout=5) == "work"
        await worker.close()
        await queue.close()


async def test_a_database_that_does_not_exist_is_told(url: str, new_queue: QueueFactory) -> None:
    await fails_soon(new_queue(url=url.replace("db=0", "db=99")).add("work"), StoreMisconfigured)


async def test_a_read_only_replica_is_told(
    server: OwnServer, tmp_path_factory: pytest.TempPathFactory, new_queue: QueueFactory
) -> None:
    with OwnServer(tmp_path_factory.mktemp("replica"), replicaof=f"127.0.0.1 {server.port}") as replica:
        queue = new_queue(url=replica.url)

        assert "replica" in await fails_soon(queue.add("work"), StoreMisconfigured)
        await queue.close()


def reporting(section: str, **facts: str) -> Callable[..., Awaitable[dict[str, str]]]:
    """A server's report with something else in it."""
    real = Connection.info

    async def info(self: Connection, wanted: str) -> dict[str, str]:
        report = await real(self, wanted)
        return {**report, **facts} if wanted == section else report

    return info


async def test_a_server_that_is_too_old_is_told(
    new_queue: QueueFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Connection, "info", reporting("server", redis_version="5.0.14"))

    assert "5.0.14" in await fails_soon(new_queue().add("work"), StoreMisconfigured)


async def test_a_server_that_may_evict_jobs_is_warned_of(
    new_queue: QueueFactory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Connection, "info", reporting("memory", maxmemory_policy="allkeys-lru"))
    with caplog.at_level(logging.WARNING, "toril"):
        await new_queue().add("work")

    assert "noeviction" in caplog.text


async def test_a_server_without_memory_is_waited_for(
    server: OwnServer, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    queue = new_queue(url=server.url)
    runs = Runs()
    await queue.add("before")
    with Database(server.url) as database:
        database.command("CONFIG", "SET", "maxmemory", "1mb")
        adding = asyncio.create_task(queue.add("during"))
        await eventually(lambda: database.command("INFO", "errorstats").get("errorstat_OOM"))
        await start_worker(runs, url=server.url, run_retry_delay=0.1)
        assert not adding.done()
        database.command("CONFIG", "SET", "maxmemory", "0")

    assert await (await adding).result(timeout=5) == "during"
    assert runs.counts == {"1": 1, "2": 1}
