"""``toril doctor`` finds what is wrong with real queues, and repairs what it can."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

import toril.sync
from tests.cli.conftest import Read, Run, Start, ended, take
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from tests.support.valkey import Valkey
from toril import Flow, Job, Queue

WithWorker = Callable[..., Any]


def kinds(found: Any) -> list[str]:
    return [one["kind"] for one in found["findings"]]


def test_nothing_is_wrong(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    found = read("doctor")

    assert (found["findings"], found["repaired"], found["queues"]) == ([], [], 1)
    assert (found["server"]["engine"], found["server"]["eviction"]) == ("valkey", "noeviction")
    assert run("doctor").stdout == "Nothing is wrong with the server and 1 queue(s).\n"


def test_a_queue_that_nobody_works(run: Run, read: Read, mail: toril.sync.Queue) -> None:
    mail.add("n")

    [found] = read("doctor", code=1)["findings"]
    assert (found["kind"], found["queue"], found["count"]) == ("no-workers", "mail", 1)
    assert "do: start a worker" in run("doctor", code=1).stdout


def test_a_paused_queue(read: Read, mail: toril.sync.Queue) -> None:
    mail.pause()

    assert kinds(read("doctor", code=1)) == ["paused"]


def test_a_queue_that_can_not_be_looked_at_hides_nothing_of_the_others(
    run: Run, read: Read, mail: toril.sync.Queue, database: Database, prefix: str
) -> None:
    mail.pause()
    database.command("HSET", f"{prefix}:odd:meta", "version", "x")
    database.command("SET", f"{prefix}:odd:wait", "text")

    unreadable, paused = sorted(
        read("doctor", code=1)["findings"], key=lambda one: one["queue"], reverse=True
    )
    assert (unreadable["kind"], unreadable["queue"], unreadable["repairable"]) == ("unreadable", "odd", False)
    assert "WRONGTYPE" in unreadable["problem"]
    assert (paused["kind"], paused["queue"]) == ("paused", "mail")
    assert "queue odd" in run("jobs", "odd", code=3).stderr


def test_active_jobs_without_a_lock(
    read: Read, mail: toril.sync.Queue, with_worker: WithWorker, database: Database, prefix: str
) -> None:
    job = mail.add("n")
    with_worker(take)
    assert "unlocked-jobs" not in kinds(read("doctor", code=1))
    database.command("DEL", f"{prefix}:mail:{job.id}:lock")

    found = next(one for one in read("doctor", code=1)["findings"] if one["kind"] == "unlocked-jobs")
    assert found["ids"] == [job.id]


def test_a_parent_that_can_never_run(
    read: Read, mail: toril.sync.Queue, url: str, prefix: str, database: Database
) -> None:
    with toril.sync.FlowProducer(url=url, prefix=prefix) as flows:
        tree = flows.add(Flow("parent", queue="mail", children=[Flow("child", queue="mail", job_id="c")]))
    database.command("DEL", f"{prefix}:mail:c")
    database.command("LREM", f"{prefix}:mail:wait", 0, "c")

    found = next(one for one in read("doctor", code=1)["findings"] if one["kind"] == "stuck-parent")
    assert found["ids"] == [tree.job.id]
    assert "is gone" in found["advice"]


def test_orphans_are_deleted_after_asking(
    run: Run, read: Read, mail: toril.sync.Queue, database: Database, prefix: str
) -> None:
    database.command("HSET", f"{prefix}:mail:lost", "name", "n")

    [found] = read("doctor", code=1)["findings"]
    assert (found["kind"], found["ids"], found["repairable"]) == ("orphans", ["lost"], True)
    assert "nothing was done" in run("doctor", "--fix", typed="n\n", code=1).stderr
    assert mail.find_orphans() == ["lost"]
    assert read("doctor", "--fix", "--yes")["repaired"] == [{"kind": "orphans", "queue": "mail", "count": 1}]
    assert mail.find_orphans() == []
    assert read("doctor")["findings"] == []


def test_a_dead_scheduler_is_brought_back(
    run: Run, read: Read, mail: toril.sync.Queue, database: Database, prefix: str
) -> None:
    mail.upsert_job_scheduler("daily", every=86_400)
    [job] = mail.get_jobs(["waiting", "delayed"])
    long_ago = int(time.time() * 1000) - 600_000
    for key in ("delayed", "wait"):
        database.command("DEL", f"{prefix}:mail:{key}")
    database.command("DEL", f"{prefix}:mail:{job.id}")
    database.command("ZADD", f"{prefix}:mail:repeat", long_ago, "daily")

    assert "dead-schedulers" in kinds(read("doctor", code=1))
    # What is left is that nobody works the queue.
    fixed = read("doctor", "--fix", "--yes", code=1)
    assert fixed["repaired"] == [{"kind": "dead-schedulers", "queue": "mail", "count": 1}]
    assert kinds(fixed) == ["no-workers"]
    assert mail.count() == 1


async def test_overdue_jobs_that_the_workers_did_not_notice(
    start: Start, start_worker: WorkerStarter, prefix: str, queue: Queue
) -> None:
    running, go_on = asyncio.Event(), asyncio.Event()

    async def busy(job: Job) -> None:
        running.set()
        await go_on.wait()

    worker = await start_worker(busy, concurrency=1)
    await queue.add("n")
    await running.wait()
    late = await queue.add("late", delay=600, timestamp=datetime.now(UTC) - timedelta(hours=1))
    await eventually(queue.get_workers_count)
    doctor = ("doctor", "--queue", "tasks", "--json", "--prefix", prefix)
    out, _ = await asyncio.to_thread(ended, start(*doctor), 1)
    [found] = msgspec.json.decode(out)["findings"]

    assert (found["kind"], found["ids"], found["count"]) == ("overdue-jobs", [late.id], 1)
    out, _ = await asyncio.to_thread(ended, start(*doctor, "--fix", "--yes"))
    repaired = [{"kind": "overdue-jobs", "queue": "tasks", "count": 1}]
    assert (msgspec.json.decode(out)["repaired"], await late.state()) == (repaired, "waiting")
    go_on.set()
    await worker.close()


def test_only_the_queues_that_are_named(read: Read, mail: toril.sync.Queue, url: str, prefix: str) -> None:
    mail.pause()
    with toril.sync.Queue("images", url=url, prefix=prefix) as images:
        images.pause()

    assert [one["queue"] for one in read("doctor", "--queue", "images", code=1)["findings"]] == ["images"]


def test_a_server_that_evicts_and_keeps_nothing(run: Run, read: Read, prefix: str) -> None:
    with Valkey("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as server:
        found = read("doctor", "--url", server.url, code=1)

    assert kinds(found) == ["eviction", "persistence"]
    assert "noeviction" in found["findings"][0]["advice"]


def test_a_replica_is_of_no_use(run: Run) -> None:
    with Valkey() as primary, Valkey("--replicaof", "127.0.0.1", str(primary.port)) as replica:
        assert "read-only replica" in run("doctor", "--url", replica.url, code=3).stderr
