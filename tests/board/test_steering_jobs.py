"""What the board does to single jobs of toril, and what toril's workers make of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.board.board import Board, Refused, Shown
from tests.support.eventually import eventually
from tests.support.factories import WorkerStarter
from toril import Flow, FlowProducer, Job, Queue, Unrecoverable

FAR = 3600


async def echo(job: Job) -> Any:
    return job.data


class Fragile:
    """A handler that fails until it is mended; afterwards it returns the data."""

    def __init__(self) -> None:
        self.mended = False

    async def __call__(self, job: Job) -> Any:
        if not self.mended:
            raise Unrecoverable("broken")
        return job.data


async def has_state(job: Job, state: str) -> bool:
    return await job.state() == state


async def refreshed(job: Job) -> Job:
    await job.refresh()
    return job


async def test_a_job_that_the_board_adds_is_run(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    await start_worker(echo, name="hand")
    added = await shown.add("sum", {"n": [1, "ü"]}, attempts=2, removeOnComplete=False)

    job = await queue.get_job(added["id"])

    assert job is not None
    assert await job.result(5) == {"n": [1, "ü"]}
    assert (await refreshed(job)).name == "sum"
    assert (await shown.job(job.id))["processedBy"] == "hand"


async def test_options_that_the_board_gives_count(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    await shown.add("low", priority=9)
    await shown.add("high", priority=1)
    await shown.add("later", delay=FAR * 1000)
    own = await shown.add("own", jobId="my-own")
    again = await shown.add("flaky", attempts=3, backoff={"type": "fixed", "delay": 5})
    ran: list[str] = []

    async def work(job: Job) -> None:
        ran.append(job.name)
        if job.name == "flaky" and job.attempts_made < 2:
            raise ValueError("once more")

    await start_worker(work)
    await eventually(lambda: ran.count("flaky") == 3)

    assert own["id"] == "my-own"
    assert [name for name in ran if name in ("own", "high", "low")] == ["own", "high", "low"]
    assert await queue.get_job_state(again["id"]) in ("active", "completed")
    assert "later" not in ran
    assert (await queue.get_job_counts("delayed")) == {"delayed": 1}


@pytest.mark.parametrize("state", ["failed", "completed"])
async def test_a_finished_job_is_retried(
    shown: Shown, queue: Queue, start_worker: WorkerStarter, state: str
) -> None:
    runs: list[int] = []

    async def work(job: Job) -> int:
        runs.append(job.attempts_made)
        if state == "failed" and len(runs) == 1:
            raise Unrecoverable("broken")
        return len(runs)

    job = await queue.add("sum")
    await start_worker(work)
    await eventually(lambda: has_state(job, state))

    await shown.put(job.id, "retry")

    await eventually(lambda: len(runs) == 2)
    await eventually(lambda: has_state(job, "completed"))
    assert (await refreshed(job)).return_value == 2
    assert (await shown.job(job.id))["attempts"] == 2


async def test_a_job_that_has_not_finished_is_not_retried(shown: Shown, queue: Queue) -> None:
    job = await queue.add("sum")

    with pytest.raises(Refused) as caught:
        await shown.put(job.id, "retry")

    assert caught.value.status == 400
    assert await job.state() == "waiting"


@pytest.mark.parametrize("state", ["failed", "completed"])
async def test_all_finished_jobs_are_retried(
    shown: Shown, queue: Queue, start_worker: WorkerStarter, state: str
) -> None:
    fragile = Fragile()
    fragile.mended = state == "completed"
    await queue.add_many(("sum", number) for number in range(120))
    worker = await start_worker(fragile, concurrency=20)
    await eventually(lambda: has_count(queue, state, 120))
    await worker.close()

    assert await shown.put("retry", state) == {"retried": 120, "skipped": 0}

    assert await shown.counts() == {"waiting": 120}
    fragile.mended = True
    await start_worker(fragile, concurrency=20)
    await eventually(lambda: has_count(queue, "completed", 120))
    jobs = await queue.get_completed()
    assert sorted(job.return_value for job in jobs) == list(range(120))
    assert {job.attempts_made for job in jobs} == {2}


async def has_count(queue: Queue, state: str, count: int) -> bool:
    return await queue.get_job_counts(state) == {state: count}


async def test_a_delayed_job_is_promoted(shown: Shown, queue: Queue, start_worker: WorkerStarter) -> None:
    first, second = [await queue.add("sum", number, delay=FAR) for number in range(2)]
    await start_worker(echo, drain_delay=60)

    await shown.put(second.id, "promote")

    assert await second.result(5) == 1
    assert await first.state() == "delayed"


async def test_all_delayed_jobs_are_promoted(shown: Shown, queue: Queue, start_worker: WorkerStarter) -> None:
    await queue.add_many(("sum", number, {"delay": FAR}) for number in range(30))
    await start_worker(echo, drain_delay=60)

    await shown.put("promote")

    await eventually(lambda: has_count(queue, "completed", 30))


async def test_the_time_of_a_delayed_job_is_changed(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    job = await queue.add("sum", 5, delay=FAR)
    await start_worker(echo, drain_delay=60)

    await shown.patch(job.id, "delay", runAt=round(time.time() * 1000) + 50)

    assert await job.result(5) == 5


async def test_the_priority_of_a_job_is_changed(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    jobs = [await queue.add(name, priority=5) for name in ("first", "second", "third")]
    plain = await queue.add("plain")
    ran: list[str] = []

    async def work(job: Job) -> None:
        ran.append(job.name)

    await shown.patch(jobs[2].id, "priority", priority=1)
    await shown.patch(plain.id, "priority", priority=9)
    await start_worker(work)

    await eventually(lambda: len(ran) == 4)
    assert ran == ["third", "first", "second", "plain"]


async def test_the_data_of_a_job_are_changed(shown: Shown, queue: Queue, start_worker: WorkerStarter) -> None:
    job = await queue.add("sum", {"n": 1})

    await shown.patch(job.id, "update-data", jobData={"n": [2, "ü"], "more": None})

    await start_worker(echo)
    assert await job.result(5) == {"n": [2, "ü"], "more": None}


@pytest.mark.parametrize("state", ["waiting", "delayed", "prioritized", "completed", "failed"])
async def test_a_job_is_removed(shown: Shown, queue: Queue, start_worker: WorkerStarter, state: str) -> None:
    fragile = Fragile()
    fragile.mended = state == "completed"
    options: dict[str, Any] = {"delayed": {"delay": FAR}, "prioritized": {"priority": 3}}.get(state, {})
    job = await queue.add("sum", **options)
    if state in ("completed", "failed"):
        worker = await start_worker(fragile)
        await eventually(lambda: has_state(job, state))
        await worker.close()
    kept = await queue.add("kept", **options)

    await shown.put(job.id, "clean")

    assert await queue.get_job(job.id) is None
    assert await queue.get_job(kept.id) is not None
    assert state not in await shown.counts() or job.id not in await shown.ids(state)


async def test_a_running_job_is_not_removed(shown: Shown, queue: Queue, start_worker: WorkerStarter) -> None:
    entered, opened = asyncio.Event(), asyncio.Event()

    async def work(job: Job) -> str:
        entered.set()
        await opened.wait()
        return "done"

    job = await queue.add("sum")
    await start_worker(work)
    await asyncio.wait_for(entered.wait(), 5)

    with pytest.raises(Refused) as caught:
        await shown.put(job.id, "clean")

    assert caught.value.status == 409
    opened.set()
    assert await job.result(5) == "done"


async def test_a_parent_is_removed_with_its_children(board: Board, url: str, prefix: str) -> None:
    async with (
        FlowProducer(url=url, prefix=prefix) as producer,
        Queue("leaves", url=url, prefix=prefix) as leaves,
    ):
        tree = await producer.add(Flow("root", queue="trunk", children=[Flow("leaf", queue="leaves")]))
        assert tree.children[0].job.id in await Shown(board, f"{prefix}:leaves").ids("waiting")

        await Shown(board, f"{prefix}:trunk").put(tree.job.id, "clean")

        assert await leaves.get_job_counts("waiting") == {"waiting": 0}
        assert await leaves.get_job(tree.children[0].job.id) is None


async def test_children_that_have_not_run_are_removed(
    board: Board, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    async with FlowProducer(url=url, prefix=prefix) as producer:
        leaves = [Flow("leaf", queue="leaves", delay=FAR) for _ in range(2)]
        tree = await producer.add(Flow("root", "released", queue="trunk", children=leaves))
        await start_worker(echo, "trunk", drain_delay=60)

        answer = await Shown(board, f"{prefix}:trunk").put(tree.job.id, "remove-unprocessed-children")

        assert answer == {"removed": 2}
        assert await tree.job.result(5) == "released"


async def test_a_child_that_is_removed_releases_its_parent(
    board: Board, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    async with FlowProducer(url=url, prefix=prefix) as producer:
        only = Flow("leaf", queue="leaves", delay=FAR)
        tree = await producer.add(Flow("root", "released", queue="trunk", children=[only]))
        await start_worker(echo, "trunk", drain_delay=60)

        await Shown(board, f"{prefix}:leaves").put(tree.children[0].job.id, "clean")

        assert await tree.job.result(5) == "released"


async def test_a_failed_child_that_is_retried_releases_its_parent(
    board: Board, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    async def gather(job: Job) -> list[Any]:
        return list((await job.children_values()).values())

    fragile = Fragile()
    async with FlowProducer(url=url, prefix=prefix) as producer:
        tree = await producer.add(Flow("root", queue="trunk", children=[Flow("leaf", 42, queue="leaves")]))
        leaf = tree.children[0].job
        await start_worker(gather, "trunk", drain_delay=60)
        await start_worker(fragile, "leaves", drain_delay=60)
        await eventually(lambda: has_state(leaf, "failed"))
        fragile.mended = True

        await Shown(board, f"{prefix}:leaves").put(leaf.id, "retry")

        assert await tree.job.result(5) == [42]
