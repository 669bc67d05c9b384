"""BullMQ 5 on the same queues: what is safe, and the pausing that is not."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodeError, NodePeer
from tests.interop.payloads import PAYLOADS
from tests.interop.peer import PARENTS
from tests.interop.scripted import spawner
from tests.support.database import Database
from tests.support.eventually import eventually
from toril import Dedup, Flow, FlowProducer, JobFailed, JobSpec, Queue, QueueEvents
from toril.embedded import EmbeddedServer

HOUR = 3_600_000


async def test_it_is_version_5(node5: NodePeer, queue: Queue) -> None:
    await node5.add("echo")

    assert (await queue.get_meta())["version"].startswith("bullmq:5.")


async def test_toril_runs_its_jobs(node5: NodePeer, working: Working) -> None:
    added = [await node5.add("echo", payload) for payload in PAYLOADS]
    later = await node5.add("echo", "later", delay=50)
    retried = await node5.add("fail", {"times": 1}, attempts=2, backoff=10)
    hopeless = await node5.add("give-up", attempts=3)
    async with working(concurrency=3):
        assert [await node5.result(job["id"]) for job in added] == PAYLOADS
        assert await node5.result(later["id"]) == "later"
        assert await node5.result(retried["id"]) == 2
        with pytest.raises(NodeError, match="hopeless in toril"):
            await node5.result(hopeless["id"])


async def test_it_runs_the_jobs_of_toril(node5: NodePeer, queue: Queue) -> None:
    await node5.work(concurrency=3)
    jobs = [await queue.add("echo", payload) for payload in PAYLOADS]
    later = await queue.add("echo", "later", delay=0.05)
    retried = await queue.add("fail", {"times": 1}, attempts=2, backoff=0.01)
    hopeless = await queue.add("give-up", attempts=3)

    assert [await job.result(5) for job in jobs] == PAYLOADS
    assert await later.result(5) == "later"
    assert await retried.result(5) == 2
    with pytest.raises(JobFailed, match="hopeless in node"):
        await hopeless.result(5)


@pytest.mark.parametrize("run_by", ["node", "toril"])
async def test_the_order_is_that_of_priorities(
    node5: NodePeer, queue: Queue, database: Database, working: Working, prefix: str, run_by: str
) -> None:
    by_priority: dict[int, str] = {}
    for priority in (3, 0, 5):
        by_priority[priority] = (await node5.add("echo", priority=priority))["id"]
    for priority in (4, 2, 1):
        by_priority[priority] = (await queue.add("echo", priority=priority)).id
    if run_by == "node":
        await node5.work()
        await eventually(lambda: has_completed(queue, 6))
    else:
        async with working():
            await eventually(lambda: has_completed(queue, 6))

    active = [event["jobId"] for event in database.events(f"{prefix}:work:") if event["event"] == "active"]
    assert active == [by_priority[priority] for priority in range(6)]


async def has_completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count


def tree(*children: dict[str, Any]) -> dict[str, Any]:
    return {"name": "gather", "queueName": PARENTS, "children": list(children)}


@pytest.mark.parametrize("added_by", ["node", "toril"])
async def test_flows(
    node5: NodePeer, flows: FlowProducer, queue: Queue, working: Working, added_by: str
) -> None:
    """Children run on the one side and parents on the other; a child that fails fails its parent."""
    leaf = {"name": "echo", "queueName": "work", "data": 1}
    bad = {"name": "give-up", "queueName": "work", "opts": {"failParentOnFailure": True}}
    if added_by == "node":
        good_id, bad_id = [(await node5.add_tree(tree(child)))["id"] for child in (leaf, bad)]
        await node5.work()
        async with working(queue=PARENTS):
            good, failing = await node5.result(good_id, queue=PARENTS), node5.result(bad_id, queue=PARENTS)
            with pytest.raises(NodeError, match=r"child .* failed"):
                await failing
    else:
        first, second = [(await flows.add(Flow.from_bullmq(tree(child)))).job for child in (leaf, bad)]
        await node5.work(queue=PARENTS)
        async with working():
            good = await first.result(5)
            with pytest.raises(JobFailed, match=r"child .* failed"):
                await second.result(5)

    assert list(good.values()) == [1]


@pytest.mark.parametrize("made_by", ["node", "toril"])
async def test_a_schedule_goes_on_on_both_sides(
    node5: NodePeer, queue: Queue, working: Working, made_by: str
) -> None:
    if made_by == "node":
        asked: dict[str, Any] = {"queue": "work", "key": "clock", "repeat": {"every": HOUR}}
        await node5.request("upsertJobScheduler", **asked, template={"name": "echo", "data": {"n": 1}})
    else:
        await queue.upsert_job_scheduler("clock", JobSpec("echo", {"n": 1}), every=3600)
    ids: list[str] = []
    for side in ("node", "toril", "node"):
        [job] = [*await queue.get_waiting(), *await queue.get_delayed()]
        ids.append(job.id)
        if await job.is_delayed():
            await job.promote()
        if side == "node":
            await node5.work()
            assert await job.result(5) == {"n": 1}
            await node5.request("closeWorkers")
        else:
            async with working():
                assert await job.result(5) == {"n": 1}

    first_ms = int(ids[0].rpartition(":")[2])
    assert ids == [f"repeat:clock:{first_ms + HOUR * step}" for step in range(3)]
    [scheduler] = await queue.get_job_schedulers()
    [theirs] = await node5.request("getJobSchedulers", queue="work")
    assert (scheduler.iteration_count, theirs["next"]) == (4, first_ms + 3 * HOUR)


async def test_one_job_at_a_time(node5: NodePeer, queue: Queue, working: Working) -> None:
    keep = {"id": "busy", "keepLastIfActive": True}
    first = await queue.add("echo", "toril", deduplication=Dedup.simple("same"))
    assert (await node5.add("echo", "node", deduplication={"id": "same"}))["id"] == first.id
    theirs = await node5.add("echo", "node", deduplication={"id": "theirs"})
    assert (await queue.add("echo", deduplication=Dedup.simple("theirs"))).id == theirs["id"]
    async with working():
        await eventually(lambda: has_completed(queue, 2))
        again = await node5.add("echo", "again", deduplication={"id": "same"})
        assert await node5.result(again["id"]) == "again"

    await node5.work()
    held = await queue.add("hold", deduplication=keep)
    await node5.did("active", held.id)
    await queue.add("echo", "last", deduplication=keep)
    await node5.request("release")
    await eventually(lambda: has_completed(queue, 5))
    assert "last" in [job.return_value for job in await queue.get_completed()]


async def test_both_read_the_events_of_the_other(
    node5: NodePeer, queue: Queue, working: Working, server: EmbeddedServer, prefix: str
) -> None:
    await node5.listen()
    async with QueueEvents("work", url=server.url, prefix=prefix) as events:
        async with working():
            ours = await queue.add("echo", {"a": 1})
            assert (await node5.told("completed", ours.id))["returnvalue"] == {"a": 1}
        await node5.work()
        added = await node5.add("report", {"rows": [], "progress": [{"b": 2}]})
        await node5.did("completed", added["id"])

        names: list[str] = []
        async for event in events:
            if event.job_id == added["id"]:
                names.append(event.name)
            if event.name == "completed" and event.job_id == added["id"]:
                break
    assert names == ["added", "waiting", "active", "progress", "completed"]


async def test_a_repeatable_job_of_version_5_goes_on(node5: NodePeer, queue: Queue, working: Working) -> None:
    """What came before schedulers: the last versions store it nearly alike."""
    await node5.request("addRepeatable", queue="work", name="echo", repeat={"every": HOUR})
    [job] = await queue.get_delayed()
    await job.promote()
    async with working():
        assert await job.result(5) == {}

    [following] = await queue.get_delayed()
    key, _, due = job.id.rpartition(":")
    assert following.id == f"{key}:{int(due) + HOUR}"
    await following.promote()
    await node5.work()
    assert await following.result(5) == {}
    await eventually(lambda: has_delayed(queue))


async def has_delayed(queue: Queue) -> bool:
    return await queue.get_delayed_count() == 1


async def test_the_oldest_kind_of_repeatable_job_is_run_once(
    node5: NodePeer, queue: Queue, database: Database, working: Working, prefix: str
) -> None:
    """Its key tells name, id, end, zone and interval. No client makes it now, so it is written by hand."""
    key, id = "echo::::3600000", "repeat:0123456789abcdef0123456789abcdef:1700000000000"
    base = f"{prefix}:work:"
    added = await node5.add("echo", {"n": 1})
    job = await queue.get_job(added["id"])
    assert job is not None
    opts = '{"repeat":{"every":3600000,"count":1},"attempts":1,"prevMillis":1700000000000}'
    database.command("ZADD", f"{base}repeat", 1700000000000, key)
    database.command("RENAME", f"{base}{job.id}", f"{base}{id}")
    database.command("HSET", f"{base}{id}", "rjk", key, "opts", opts)
    database.command("LSET", f"{base}wait", 0, id)
    async with working():
        await eventually(lambda: has_completed(queue, 1))

    counts = await queue.get_job_counts()
    assert (counts.pop("completed"), set(counts.values())) == (1, {0})
    [done] = await queue.get_completed()
    assert (done.id, done.return_value) == (id, {"n": 1})


async def test_toril_finishes_what_a_killed_worker_has_begun(
    node5: NodePeer, queue: Queue, working: Working
) -> None:
    await node5.work(lockDuration=1000, stalledInterval=300)
    job = await queue.add("hang-first", attempts=2)
    await node5.did("active", job.id)

    node5.kill()
    async with working(stalled_interval=0.3):
        assert await job.result(8) == "finished by toril"

    await job.refresh()
    assert (job.attempts_started, job.attempts_made, job.stalled_counter) == (2, 1, 1)


@pytest.mark.parametrize("parent_runs_in", ["node", "toril"])
async def test_a_running_parent_adds_a_child_for_the_other_side(
    node5: NodePeer, queue: Queue, server: EmbeddedServer, working: Working, parent_runs_in: str
) -> None:
    job = await queue.add("spawn", {"queue": "leaves"})
    if parent_runs_in == "node":
        await node5.work()
        async with working(queue="leaves"):
            assert await job.result(5) == ["from node"]
    else:
        await node5.work(queue="leaves")
        async with working(spawner(server.url)):
            assert await job.result(5) == ["from toril"]


# --- pausing ---


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [it for it in caplog.records if it.name == "toril.core.version_5" and it.levelname == "WARNING"]


async def test_a_resume_of_version_5_loses_jobs_and_toril_warns(
    node5: NodePeer, queue: Queue, database: Database, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """This is what the warning is about; it is BullMQ 5 that does it."""
    await node5.request("counts", queue="work")
    await queue.pause()
    [warning] = warnings_of(caplog)
    assert "BullMQ 5" in warning.getMessage()
    assert warning.__dict__["version"].startswith("bullmq:5.")
    lost = await queue.add("echo", "toril")
    kept = await node5.add("echo", "node")
    assert database.command("LRANGE", f"{prefix}:work:paused", 0, -1) == [kept["id"]]

    await node5.request("resume", queue="work")

    assert database.command("LRANGE", f"{prefix}:work:wait", 0, -1) == [kept["id"]]
    assert await lost.state() == "unknown"


async def test_toril_remembers_whom_it_has_found_in_the_queue(
    node5: NodePeer, server: EmbeddedServer, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It writes its own version into the meta when it opens the queue."""
    await node5.add("echo")
    async with Queue("work", url=server.url, prefix=prefix) as queue:
        assert (await queue.get_meta())["version"].startswith("toril:")
        await queue.pause()

    [warning] = warnings_of(caplog)
    assert warning.__dict__["version"].startswith("bullmq:5.")
    assert warning.__dict__["parked"] is False


async def test_a_resume_of_toril_loses_none(
    node5: NodePeer, queue: Queue, working: Working, caplog: pytest.LogCaptureFixture
) -> None:
    await node5.request("pause", queue="work")
    ours = await queue.add("echo", "toril")
    theirs = await node5.add("echo", "node")
    # It was paused already; this time it is the list that tells.
    await queue.pause()
    [warning] = warnings_of(caplog)
    assert warning.__dict__["parked"] is True

    await queue.resume()

    async with working():
        assert await ours.result(5) == "toril"
        assert await node5.result(theirs["id"]) == "node"


async def test_toril_keeps_to_a_pause_of_version_5(node5: NodePeer, queue: Queue, working: Working) -> None:
    await node5.request("pause", queue="work")
    job = await queue.get_job((await node5.add("echo", 1))["id"])
    assert job is not None
    async with working():
        await eventually(lambda: waits_for_word(node5))
        assert await queue.is_paused()
        assert await queue.get_completed_count() == 0

        await node5.request("resume", queue="work")

        assert await job.result(5) == 1


async def test_version_5_keeps_to_a_pause_of_toril(node5: NodePeer, queue: Queue, working: Working) -> None:
    await queue.pause()
    job = await queue.add("echo", 1)
    await node5.work()
    assert await node5.request("isPaused", queue="work") is True
    await eventually(lambda: waits_for_word(node5))
    assert await job.is_waiting()

    await queue.resume()

    assert await job.result(5) == 1


async def waits_for_word(node: NodePeer) -> bool:
    workers = await node.request("getWorkers", queue="work")
    return [worker["cmd"] for worker in workers] == ["bzpopmin"]


async def test_no_warning_where_there_is_no_version_5(
    node: NodePeer, queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    await node.add("echo")
    await queue.pause()
    await node.request("resume", queue="work")
    await queue.pause()

    assert warnings_of(caplog) == []
