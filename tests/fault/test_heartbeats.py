"""What workers tell of themselves, and what is told of one that vanished."""

from __future__ import annotations

import asyncio
import os
import socket

import toril
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import EventsFactory, QueueFactory, WorkerStarter
from tests.support.program import Program
from toril import Job, Queue, Worker

VICTIM = """
import asyncio, sys
from toril import Worker

async def handler(job):
    print("started", job.id, flush=True)
    await asyncio.sleep(60)

async def main():
    options = {"name": "victim", "heartbeat_interval": 0.1, "stalled_interval": 0.1}
    await Worker("tasks", handler, url=sys.argv[1], prefix=sys.argv[2], **options).run()

asyncio.run(main())
"""

LEAKY = """
import asyncio, sys
from toril import Worker

kept = []

def leaky(job):
    kept.append(bytearray(range(256)) * 4096 * 4)

async def main():
    options = {"heartbeat_interval": 0.5, "concurrency": 1}
    handlers = {"leaky": leaky, "sound": lambda job: None}
    worker = Worker("tasks", handlers, url=sys.argv[1], prefix=sys.argv[2], **options)
    await worker.run()

asyncio.run(main())
"""


async def done(job: Job) -> None:
    pass


async def test_a_worker_tells_how_it_is(queue: Queue, start_worker: WorkerStarter) -> None:
    go_on = asyncio.Event()

    async def handler(job: Job) -> None:
        if job.name == "bad":
            raise ValueError("no such address")
        if job.name == "long":
            await go_on.wait()

    worker = await start_worker(handler, name="w1", concurrency=3, heartbeat_interval=0.05)
    for name in ("good", "good", "bad", "long"):
        await queue.add(name)

    async def all_done() -> toril.WorkerStatus | None:
        [told] = await queue.workers()
        return told if (told.completed, told.failed, len(told.running)) == (2, 1, 1) else None

    told = await eventually(all_done)
    assert told is not None
    assert (told.id, told.name, told.version) == (worker.id, "w1", toril.__version__)
    assert (told.host, told.pid) == (socket.gethostname(), os.getpid())
    assert (told.queues, told.slots, told.held, told.health) == (("tasks",), 3, 1, "healthy")
    assert [(job.name, job.queue, job.id) for job in told.running] == [("long", "tasks", "4")]
    assert told.last_error == "ValueError: no such address"
    assert told.started_at is not None
    assert told.last_error_at is not None
    assert told.started_at <= told.last_error_at <= told.told_at
    assert told.rss > 1_000_000
    assert told.loop_lag >= 0
    assert told.rate > 0
    assert told.growth == {}
    go_on.set()


async def test_a_worker_that_leaves_is_not_listed_and_not_lost(
    queue: Queue, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    worker = await start_worker(done, heartbeat_interval=0.05, stalled_interval=0.05)
    assert [told.id for told in await eventually(queue.workers)] == [worker.id]
    await worker.close()

    assert await queue.workers() == []
    own = [key for key in database.dump(own_keys=True) if "toril:worker" in key]
    assert [key for key in own if not key.endswith("workers-check")] == []
    assert [event.name async for event in queue.iter_events() if event.name == "worker-lost"] == []


async def test_a_worker_that_vanished_is_told_once(
    queue: Queue, url: str, prefix: str, start_worker: WorkerStarter, new_events: EventsFactory
) -> None:
    async with new_events() as events:
        lost: list[str] = []
        events.on("worker-lost", lambda event: lost.append(event.fields["status"]))
        await events.ready()
        with Program(VICTIM, url, prefix) as victim:
            await queue.add("work")
            assert victim.line() == "started 1"
            [before] = await eventually(queue.workers)
            assert (before.name, before.pid) == ("victim", victim.pid)
            victim.kill()
        for _ in range(2):
            await start_worker(done, heartbeat_interval=0.05, stalled_interval=0.05)

        await eventually(lambda: lost)
        assert f'"pid":{victim.pid}' in lost[0]
        assert len(await queue.workers()) == 2
        await queue.add("more")
        await eventually(lambda: queue.get_completed_count())
    assert len(lost) == 1


async def test_workers_of_several_queues_and_garbage(
    queue: Queue, new_queue: QueueFactory, start_worker: WorkerStarter, database: Database, prefix: str
) -> None:
    await start_worker(done, "other")
    silent = await start_worker(done, skip_heartbeat=True)
    database.command("HSET", f"{prefix}:tasks:toril:workers", "x", "{broken", "y", '{"id": 1}')
    database.command("SET", f"{prefix}:tasks:toril:worker:x", "1", "PX", 60_000)
    database.command("SET", f"{prefix}:tasks:toril:worker:y", "1", "PX", 60_000)

    assert await queue.workers() == []
    assert [told.queues for told in await eventually(new_queue("other").workers)] == [("other",)]
    assert silent.status().queues == ("tasks",)


async def test_a_heartbeat_is_one_call_and_an_idle_worker_makes_no_other(
    start_worker: WorkerStarter, database: Database
) -> None:
    await start_worker(done, heartbeat_interval=0.5, drain_delay=30)

    def calls() -> tuple[int, int]:
        """Heartbeats, and all that clients asked for."""
        stats: dict[str, dict[str, int]] = database.command("INFO", "commandstats")
        asked = [
            stats[f"cmdstat_{name}"]["calls"]
            for name in ("eval", "evalsha", "bzpopmin")
            if f"cmdstat_{name}" in stats
        ]
        return stats.get("cmdstat_pexpire", {"calls": 0})["calls"], sum(asked)

    await eventually(lambda: calls()[0])
    # From a heartbeat on: by then all that is done at the start has been done.
    first = calls()[0]
    await eventually(lambda: calls()[0] > first)
    beats, asked = calls()
    await eventually(lambda: calls()[0] >= beats + 3)
    more_beats, more_asked = calls()
    assert more_asked - asked == more_beats - beats


async def test_memory_that_grows_is_laid_on_the_jobs_that_leak(queue: Queue, url: str, prefix: str) -> None:
    with Program(LEAKY, url, prefix):
        for number in range(300):
            workers = await queue.workers()
            if workers and workers[0].growth:
                break
            await queue.add("leaky")
            await queue.add_many([("sound", None)] * (3 * (number // 20 % 2)))
            await asyncio.sleep(0.04)
        [told] = await queue.workers()

    assert list(told.growth) == ["leaky"]
    assert 2_000_000 < told.growth["leaky"] < 8_000_000


async def test_status_of_a_worker_that_was_not_started(url: str, prefix: str) -> None:
    told = Worker("tasks", done, url=url, prefix=prefix).status()

    assert (told.health, told.started_at, told.last_error, told.rate) == ("stopped", None, None, 0.0)
