"""Job schedulers that one side makes, and both sides run, change, read and remove."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.interop.schedules import plain
from tests.support.database import Database
from tests.support.eventually import eventually
from toril import Job, JobFailed, JobScheduler, JobSpec, OptionError, Queue, from_bullmq
from toril.embedded import EmbeddedServer

HOUR = 3_600_000
# The same job, as each side says it.
DATA = {"n": [1, None]}
OPTIONS: dict[str, Any] = {"attempts": 3, "backoff": 1000, "removeOnFail": 10}
SCHEDULES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"every": HOUR}, {"every": 3600}),
    ({"pattern": "15 * * * *", "tz": "Asia/Kolkata"}, {"cron": "15 * * * *", "tz": "Asia/Kolkata"}),
]


NewQueue = Callable[[str], Queue]


@pytest.fixture
def new_queue(server: EmbeddedServer, prefix: str) -> NewQueue:
    return lambda name: Queue(name, url=server.url, prefix=prefix)


async def make(node: NodePeer, queue: Queue, side: str, schedule: tuple[Any, Any]) -> None:
    """Make or change the scheduler of a test."""
    theirs, ours = schedule
    if side == "node":
        template = {"name": "echo", "data": DATA, "opts": OPTIONS}
        asked = {"queue": queue.name, "key": "clock", "repeat": theirs, "template": template}
        assert await node.request("upsertJobScheduler", **asked)
    else:
        spec = JobSpec("echo", DATA, from_bullmq(OPTIONS))
        assert await queue.upsert_job_scheduler("clock", spec, **ours)


async def only(queue: Queue) -> JobScheduler:
    [scheduler] = await queue.get_job_schedulers()
    return scheduler


async def next_job(queue: Queue) -> Job:
    """The job that the queue's only scheduler has made last."""
    due_ms = round((await only(queue)).next_at.timestamp() * 1000)
    job = await queue.get_job(f"repeat:clock:{due_ms}")
    assert job is not None
    return job


async def run_next(node: NodePeer, queue: Queue, working: Working, side: str) -> Job:
    """Let a side run the next job, be it due or not."""
    job = await next_job(queue)
    if await job.is_delayed():
        await job.promote()
    if side == "node":
        await node.work(queue=queue.name)
        assert await job.result(5) == DATA
        await node.request("closeWorkers")
    else:
        async with working(queue=queue.name):
            assert await job.result(5) == DATA
    await job.refresh()
    return job


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["every", "cron"])
@pytest.mark.parametrize("made_by", ["node", "toril"])
async def test_a_schedule_goes_on_whoever_runs_its_jobs(
    node: NodePeer,
    new_queue: NewQueue,
    database: Database,
    working: Working,
    schedule: tuple[dict[str, Any], dict[str, Any]],
    made_by: str,
) -> None:
    """The same story twice: all by Node, and by both in turn. Then the keys of both queues are the same."""
    stored: list[dict[str, Any]] = []
    for name, maker, sides in (("alone", "node", ["node"] * 4), ("mixed", made_by, ["node", "toril"] * 2)):
        async with new_queue(name) as queue:
            await make(node, queue, maker, schedule)
            first_ms = int((await next_job(queue)).id.rpartition(":")[2])
            jobs = [await run_next(node, queue, working, side) for side in sides]
            assert (await only(queue)).iteration_count == 5
            stored.append(plain(database, name, first_ms, HOUR))

        assert [job.id for job in jobs] == [f"repeat:clock:{first_ms + HOUR * step}" for step in range(4)]
        assert [job.stored_opts["repeat"]["count"] for job in jobs] == [1, 2, 3, 4]
        previous = [first_ms + HOUR * step if "cron" in schedule[1] else None for step in range(4)]
        assert [job.stored_opts.get("prevMillis") for job in jobs] == previous

    alone, mixed = stored
    assert mixed == alone
    assert {"repeat", "repeat:clock", "repeat:clock:#4", "delayed", "completed"} <= set(alone)


@pytest.mark.parametrize("made_by", ["node", "toril"])
async def test_a_definition_of_the_other_side_takes_the_place(
    node: NodePeer, queue: Queue, made_by: str
) -> None:
    first, second = (made_by, "toril" if made_by == "node" else "node")
    lines = ["0 3 * * *", "30 4 * * 1-5", "0 5 1 * *"]
    for side, line in zip((first, second, first), lines, strict=True):
        await make(node, queue, side, ({"pattern": line, "tz": "UTC"}, {"cron": line, "tz": "UTC"}))

        [theirs] = await node.request("getJobSchedulers", queue="work")
        ours = await only(queue)
        assert (ours.cron, theirs["pattern"]) == (line, line)
        assert round(ours.next_at.timestamp() * 1000) == theirs["next"]
        [delayed] = await queue.get_delayed()
        assert delayed.id == f"repeat:clock:{theirs['next']}"

    await make(node, queue, second, ({"every": HOUR}, {"every": 3600}))
    assert await queue.get_delayed() == []
    [waiting] = await queue.get_waiting()
    assert waiting.id == (await next_job(queue)).id
    assert (await only(queue)).iteration_count == 1


async def test_the_same_definition_of_toril_leaves_that_of_node(node: NodePeer, queue: Queue) -> None:
    line = "0 3 * * *"
    schedule = ({"pattern": line, "tz": "UTC"}, {"cron": line, "tz": "UTC"})
    await make(node, queue, "node", schedule)
    before = await next_job(queue)

    await make(node, queue, "toril", schedule)

    assert (await next_job(queue)).fields == before.fields


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["every", "cron"])
async def test_many_definitions_at_once_make_one_schedule(
    node: NodePeer, queue: Queue, schedule: tuple[Any, Any]
) -> None:
    await asyncio.gather(*(make(node, queue, side, schedule) for side in ("node", "toril") * 10))

    counts = await queue.get_job_counts("waiting", "delayed")
    assert sum(counts.values()) == 1
    assert await (await next_job(queue)).state() in ("waiting", "delayed")
    assert len(await node.request("getJobSchedulers", queue="work")) == 1


async def test_a_quick_schedule_is_shared_by_both_sides(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    """Both wait for its jobs all the time. Each run comes once, and each run but the last one is done."""
    await make(node, queue, "toril", ({}, {"every": 0.05}))
    runs: list[str] = []

    async def run(job: Job) -> Any:
        runs.append(job.id)
        return job.data

    await node.work()
    # Alone at first: ours is there as soon as a job is due, and leaves hardly any to the other.
    await eventually(lambda: has_made(queue, 5))
    async with working(run):
        await eventually(lambda: has_made(queue, 30))
        await queue.remove_job_scheduler("clock")
        await eventually(lambda: is_idle(queue))

    completed = await queue.get_completed()
    by_node = [note["jobId"] for note in node.noted(**{"from": "worker", "event": "active"})]
    assert sorted([*runs, *by_node]) == sorted(job.id for job in completed)
    assert min(len(runs), len(by_node)) >= 3
    due = sorted(int(job.id.rpartition(":")[2]) for job in completed)
    assert {(after - before) % 50 for before, after in itertools.pairwise(due)} == {0}
    counted = sorted(job.stored_opts["repeat"]["count"] for job in completed)
    assert counted == list(range(1, len(completed) + 1))


async def has_made(queue: Queue, count: int) -> bool:
    return (await only(queue)).iteration_count >= count


async def is_idle(queue: Queue) -> bool:
    counts = await queue.get_job_counts("active", "waiting", "delayed")
    return sum(counts.values()) == 0


async def test_definitions_of_both_sides_while_both_run_its_jobs(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    """The schedule changes all the time, and in the end there is one, with one job to come."""
    await node.work(concurrency=2)
    async with working(concurrency=2):
        for step in range(15):
            every_ms = 30 + step
            await asyncio.gather(
                make(node, queue, "node", ({"every": every_ms}, {})),
                make(node, queue, "toril", ({}, {"every": every_ms / 1000})),
            )
        await make(node, queue, "toril", ({}, {"every": 3600}))
        await eventually(lambda: has_settled(queue))

    assert (await only(queue)).every == 3600
    assert await (await next_job(queue)).is_delayed()


async def has_settled(queue: Queue) -> bool:
    """Nothing runs, and there is a single job to come."""
    counts = await queue.get_job_counts("active", "waiting", "delayed")
    return counts == {"active": 0, "waiting": 0, "delayed": 1}


async def test_each_side_reads_the_schedulers_of_the_other(node: NodePeer, queue: Queue) -> None:
    end = datetime(2040, 1, 1, tzinfo=UTC)
    end_ms = round(end.timestamp() * 1000)
    await queue.upsert_job_scheduler("plain", every=60)
    await queue.upsert_job_scheduler(
        "full",
        JobSpec("echo", DATA, {"attempts": 3}),
        cron="0 9 * * MON-FRI",
        tz="Europe/Berlin",
        limit=5,
        end=end,
    )
    repeat = {"every": 120_000, "endDate": end_ms, "limit": 7}
    template = {"name": "theirs", "data": DATA, "opts": {"priority": 2}}
    await node.request("upsertJobScheduler", queue="work", key="node", repeat=repeat, template=template)

    theirs = {it["key"]: it for it in await node.request("getJobSchedulers", queue="work")}
    ours = {it.id: it for it in await queue.get_job_schedulers()}

    assert set(theirs) == set(ours) == {"plain", "full", "node"}
    for id, scheduler in ours.items():
        other = theirs[id]
        assert await node.request("getJobScheduler", queue="work", key=id) == other
        assert (scheduler.name, scheduler.iteration_count) == (other["name"], other["iterationCount"])
        assert round(scheduler.next_at.timestamp() * 1000) == other["next"]
        assert (scheduler.limit, scheduler.tz) == (other.get("limit"), other.get("tz"))
        assert scheduler.cron == other.get("pattern")
        assert scheduler.every == (other["every"] / 1000 if "every" in other else None)
        assert scheduler.data == other.get("template", {}).get("data")
    assert theirs["full"]["template"] == {"data": DATA, "opts": {"attempts": 3}}
    assert (theirs["full"]["endDate"], ours["node"].end) == (end_ms, end)
    assert ours["node"].options == {"priority": 2}


@pytest.mark.parametrize("made_by", ["node", "toril"])
async def test_a_scheduler_is_removed_by_the_other_side(node: NodePeer, queue: Queue, made_by: str) -> None:
    await make(node, queue, made_by, SCHEDULES[1])
    if made_by == "node":
        removed = [await queue.remove_job_scheduler("clock") for _ in range(2)]
    else:
        removed = [await node.request("removeJobScheduler", queue="work", key="clock") for _ in range(2)]

    assert removed == [True, False]
    assert await queue.get_job_schedulers() == []
    assert await node.request("getJobSchedulers", queue="work") == []
    assert await queue.get_delayed() == []


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["every", "cron"])
@pytest.mark.parametrize("sides", [("node", "toril"), ("toril", "node")])
async def test_the_last_run_is_the_last_on_either_side(
    node: NodePeer, queue: Queue, working: Working, schedule: tuple[Any, Any], sides: tuple[str, str]
) -> None:
    theirs, ours = schedule
    await make(node, queue, sides[0], ({**theirs, "limit": 2}, {**ours, "limit": 2}))
    jobs = [await run_next(node, queue, working, side) for side in reversed(sides)]

    assert [job.stored_opts["repeat"]["count"] for job in jobs] == [1, 2]
    counts = await queue.get_job_counts()
    assert (counts.pop("completed"), set(counts.values())) == (2, {0})


@pytest.mark.parametrize("side", ["node", "toril"])
async def test_no_run_comes_after_the_end(node: NodePeer, queue: Queue, working: Working, side: str) -> None:
    end = datetime.now(UTC) + timedelta(seconds=0.3)
    end_ms = round(end.timestamp() * 1000)
    maker = "toril" if side == "node" else "node"
    await make(node, queue, maker, ({"every": HOUR, "endDate": end_ms}, {"every": 3600, "end": end}))
    await eventually(lambda: datetime.now(UTC) > end)

    await run_next(node, queue, working, side)

    counts = await queue.get_job_counts()
    assert (counts.pop("completed"), set(counts.values())) == (1, {0})


@pytest.mark.parametrize("fails_in", ["node", "toril"])
async def test_a_run_that_is_retried_on_the_other_side_makes_no_second_one(
    node: NodePeer, queue: Queue, working: Working, fails_in: str
) -> None:
    await queue.upsert_job_scheduler("clock", JobSpec("fail", {"times": 1}), every=3600)
    job = await next_job(queue)

    async def let_run() -> None:
        if fails_in == "node":
            await node.work()
            await eventually(job.is_failed)
            await node.request("closeWorkers")
            await job.retry()
            async with working():
                assert await job.result(5) == 2
        else:
            async with working():
                with pytest.raises(JobFailed):
                    await job.result(5)
            await node.request("retry", queue="work", jobId=job.id)
            await node.work()
            assert await job.result(5) == 2

    await let_run()
    assert (await only(queue)).iteration_count == 2
    [delayed] = await queue.get_delayed()
    assert delayed.id == (await next_job(queue)).id != job.id


async def test_node_runs_late_what_toril_would_skip(node: NodePeer, queue: Queue, working: Working) -> None:
    """The wish to skip goes on from job to job through Node, too."""
    await queue.upsert_job_scheduler("clock", JobSpec("echo", DATA), every=0.2, missed="skip")
    job = await next_job(queue)
    due_ms = int(job.id.rpartition(":")[2])
    await eventually(lambda: datetime.now(UTC).timestamp() * 1000 > due_ms + 250)

    await run_next(node, queue, working, "node")

    late = await next_job(queue)
    assert late.id != job.id
    due_ms = int(late.id.rpartition(":")[2])
    await eventually(lambda: datetime.now(UTC).timestamp() * 1000 > due_ms + 250)
    async with working():
        assert await late.result(5) is None
    read = await node.job(late.id)
    assert (read["state"], read["returnvalue"]) == ("completed", None)
    assert any("skip" in row or "missed" in row for row in read["logs"])


@pytest.mark.parametrize("line", ["0 3 * *", "1-2-3 3 * * *", "0 3 * * 5L,1-5L"])
async def test_toril_runs_the_job_of_a_line_that_only_node_accepts(
    node: NodePeer, queue: Queue, working: Working, line: str
) -> None:
    """The schedule ends there, which its worker tells as an error."""
    errors: list[BaseException] = []
    await make(node, queue, "node", ({"pattern": line}, {}))
    job = await next_job(queue)
    await job.promote()
    async with working() as worker:
        worker.on("error", errors.append)
        assert await job.result(5) == DATA

    [error] = errors
    assert isinstance(error, OptionError)
    assert error.value == line
    assert await queue.get_delayed() == []
