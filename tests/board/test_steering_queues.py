"""What the board does to whole queues of toril, and what toril's workers make of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.board.board import Board, Refused, Shown
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from toril import Flow, FlowProducer, Job, Queue, Unrecoverable, open_store
from toril.store.contract import Store


class Workshop:
    """A handler that counts how many of its jobs run at once; they wait as long as it is closed.

    Attributes:
        running: Names of the jobs that run now.
        most: So many have run at once.
        done: Names of the jobs that are through.
    """

    def __init__(self, *, opened: bool = True) -> None:
        self.opened = asyncio.Event()
        self.running: list[str] = []
        self.most = 0
        self.done: list[str] = []
        if opened:
            self.opened.set()

    async def __call__(self, job: Job) -> None:
        self.running.append(job.name)
        self.most = max(self.most, len(self.running))
        try:
            await self.opened.wait()
            await asyncio.sleep(0.002)
        finally:
            self.running.remove(job.name)
        self.done.append(job.name)
        if job.name == "bad":
            raise Unrecoverable("broken")


async def test_a_queue_is_paused_and_resumed(
    shown: Shown, queue: Queue, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    workshop = Workshop(opened=False)
    await queue.add_many((name, None) for name in ("running", "next", "last"))
    await start_worker(workshop, drain_delay=60)
    await start_worker(Workshop(), "other")
    await eventually(lambda: workshop.running == ["running"])

    await shown.put("pause")
    assert await queue.is_paused()
    workshop.opened.set()
    await eventually(lambda: has_counts(shown, {"completed": 1, "waiting": 2}))
    # Long enough for a worker that would overlook the pause.
    for _ in range(3):
        await (await new_queue("other").add("plain")).result(5)
    assert workshop.done == ["running"]
    assert await shown.counts() == {"completed": 1, "waiting": 2}

    await shown.put("resume")

    await eventually(lambda: workshop.done == ["running", "next", "last"])
    assert (await shown.page())["isPaused"] is False


async def test_all_queues_are_paused_and_resumed(board: Board, new_queue: QueueFactory) -> None:
    queues = [await new_queue(name).ready() for name in ("mail", "reports")]

    await board.ask("PUT", "/api/queues/pause")
    assert [await queue.is_paused() for queue in queues] == [True, True]

    await board.ask("PUT", "/api/queues/resume")
    assert [await queue.is_paused() for queue in queues] == [False, False]


async def test_the_concurrency_of_the_queue_is_obeyed(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    workshop = Workshop(opened=False)
    await shown.put("concurrency", concurrency=2)
    assert (await shown.page())["globalConcurrency"] == 2
    assert await queue.get_global_concurrency() == 2
    for _ in range(2):
        await start_worker(workshop, concurrency=5)
    await queue.add_many(("plain", None) for _ in range(20))
    await eventually(lambda: len(workshop.running) == 2)

    workshop.opened.set()
    await eventually(lambda: len(workshop.done) == 20)
    assert workshop.most == 2

    workshop.opened.clear()
    await shown.put("concurrency", concurrency=0)
    assert (await shown.page())["globalConcurrency"] is None
    await queue.add_many(("plain", None) for _ in range(20))
    await eventually(lambda: len(workshop.running) == 10)
    workshop.opened.set()
    await eventually(lambda: len(workshop.done) == 40)


async def test_the_rate_limit_of_the_queue_is_obeyed(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    workshop = Workshop()
    await shown.put("rate-limit", max=3, duration=400)
    assert (await shown.get("rate-limit"))["rateLimit"] == {"max": 3, "duration": 400}
    await queue.add_many(("plain", None) for _ in range(6))
    began = time.monotonic()
    await start_worker(workshop, concurrency=5)

    await eventually(lambda: len(workshop.done) == 6)

    assert time.monotonic() - began > 0.35
    await shown.put("rate-limit", max=None)
    assert (await shown.get("rate-limit"))["rateLimit"] is None


async def test_a_rate_limit_in_force_is_released(shown: Shown, queue: Queue) -> None:
    await queue.rate_limit(60)
    assert (await shown.page())["activeRateLimitTtl"] > 0

    await shown.put("rate-limit", "release")

    assert (await shown.page())["activeRateLimitTtl"] == 0


async def test_a_queue_is_emptied(shown: Shown, queue: Queue, start_worker: WorkerStarter) -> None:
    await queue.add_many(("plain", None) for _ in range(5))
    await queue.add_many(("urgent", None, {"priority": 2}) for _ in range(5))
    delayed = await queue.add("later", delay=3600)

    await shown.put("empty")

    assert await shown.counts() == {"delayed": 1}
    assert await delayed.state() == "delayed"
    job = await queue.add("after")
    workshop = Workshop()
    await start_worker(workshop)
    await job.result(5)
    assert workshop.done == ["after"]


OLD = datetime.now(UTC) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "options"),
    [
        ("waiting", {}),
        ("delayed", {"delay": 7200}),
        ("prioritized", {"priority": 4}),
    ],
)
async def test_waiting_jobs_are_cleaned(
    shown: Shown, queue: Queue, start_worker: WorkerStarter, state: str, options: dict[str, Any]
) -> None:
    for _ in range(3):
        await queue.add("old", timestamp=OLD, **options)
    young = await queue.add("young", **options)

    await shown.put("clean", state)

    # The board spares what is younger than five seconds.
    assert await shown.ids(state) == [young.id]
    assert await queue.get_job_counts(state) == {state: 1}
    if state != "delayed":
        workshop = Workshop()
        await start_worker(workshop)
        await young.result(5)
        assert workshop.done == ["young"]


@pytest.fixture
async def past(url: str) -> AsyncIterator[Store]:
    """A store on which everything happens an hour ago."""
    store = open_store(url, now_ms=lambda: round(OLD.timestamp() * 1000))
    yield store
    await store.close()


@pytest.mark.parametrize("state", ["completed", "failed"])
async def test_finished_jobs_are_cleaned(
    shown: Shown, past: Store, new_queue: QueueFactory, start_worker: WorkerStarter, state: str
) -> None:
    name = "bad" if state == "failed" else "good"
    await new_queue(store=past).add_many((name, None) for _ in range(4))
    worker = await start_worker(Workshop(), store=past)
    await eventually(lambda: has_counts(shown, {state: 4}))
    await worker.close()
    young = await new_queue().add(name)
    await start_worker(Workshop())
    await eventually(lambda: has_counts(shown, {state: 5}))

    await shown.put("clean", state)

    assert await shown.ids(state) == [young.id]


async def test_running_jobs_are_not_cleaned(
    shown: Shown, past: Store, queue: Queue, start_worker: WorkerStarter
) -> None:
    workshop = Workshop(opened=False)
    job = await queue.add("held", timestamp=OLD)
    await start_worker(workshop, store=past)
    await eventually(lambda: workshop.running == ["held"])

    await shown.put("clean", "active")

    assert await shown.ids("active") == [job.id]
    workshop.opened.set()
    await job.result(5)


async def test_children_of_a_cleaned_parent_are_run_all_the_same(
    board: Board, past: Store, new_queue: QueueFactory, prefix: str, start_worker: WorkerStarter
) -> None:
    trunk, leaves = await new_queue("trunk").ready(), await new_queue("leaves").ready()
    async with FlowProducer(store=past, prefix=prefix) as producer:
        tree = await producer.add(Flow("root", queue="trunk", children=[Flow("leaf", queue="leaves")]))

    await Shown(board, f"{prefix}:trunk").put("clean", "waiting-children")

    assert await trunk.count() == 0
    assert await trunk.get_job(tree.job.id) is None
    leaf = await leaves.get_job(tree.children[0].job.id)
    assert leaf is not None
    await start_worker(Workshop(), "leaves")
    await leaf.result(5)
    assert set((await trunk.get_job_counts()).values()) == {0}


async def has_counts(shown: Shown, wanted: dict[str, int]) -> bool:
    return await shown.counts() == wanted


async def test_only_a_paused_queue_is_obliterated(
    shown: Shown, queue: Queue, database: Database, prefix: str
) -> None:
    await queue.add_many(("plain", None) for _ in range(5))
    await queue.add("later", delay=3600)
    await queue.upsert_job_scheduler("daily", cron="0 5 * * *")
    with pytest.raises(Refused) as caught:
        await shown.put("obliterate")
    assert caught.value.status == 400
    assert await queue.count() == 7
    await shown.put("pause")

    await shown.put("obliterate")

    left = [key for key in database.dump() if key.startswith(f"{prefix}:")]
    assert left == []
    assert await queue.count() == 0
    assert await queue.get_job_schedulers() == []


async def test_a_queue_with_running_jobs_is_obliterated_by_force(
    shown: Shown, board: Board, queue: Queue, start_worker: WorkerStarter
) -> None:
    workshop = Workshop(opened=False)
    await queue.add("held")
    await queue.add("next")
    await start_worker(workshop)
    await eventually(lambda: workshop.running == ["held"])
    await shown.put("pause")
    with pytest.raises(Refused) as caught:
        await shown.put("obliterate")
    assert caught.value.status == 409

    await shown.put("obliterate", force=True)

    assert await queue.get_job_counts("active", "waiting") == {"active": 0, "waiting": 0}
    # The handler comes to its end without a job, and the worker goes on with what comes.
    workshop.opened.set()
    await eventually(lambda: workshop.done == ["held"])
    job = await queue.add("after")
    await job.result(5)
    assert workshop.done == ["held", "after"]
    assert await queue.get_job_counts("completed", "failed") == {"completed": 1, "failed": 0}
