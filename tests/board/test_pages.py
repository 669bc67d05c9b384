"""The overview, the pages of a queue, and the page of a job."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from tests.board.board import Board, Refused, Shown
from tests.support.database import Database
from tests.support.eventually import eventually
from tests.support.factories import QueueFactory, WorkerStarter
from tests.support.valkey import Valkey
from toril import Delay, Flow, FlowProducer, Job, Queue, Unrecoverable
from toril.embedded import ensure_server


class Gate:
    """A handler whose jobs wait until it is opened."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, job: Job) -> str:
        self.entered.set()
        await self.opened.wait()
        return job.name


async def fill(queue: Queue, url: str, prefix: str) -> dict[str, list[str]]:
    """Jobs that stay where they are as long as no worker comes; gives their ids."""
    async with FlowProducer(url=url, prefix=prefix) as producer:
        tree = await producer.add(Flow("parent", queue=queue.name, children=[Flow("child", queue="leaves")]))
    waiting = [await queue.add("plain", {"n": number}) for number in range(3)]
    delayed = [await queue.add("later", delay=3600 + number) for number in range(2)]
    prioritized = [await queue.add("urgent", priority=9 - number) for number in range(4)]
    return {
        "waiting": [job.id for job in waiting],
        "delayed": [job.id for job in delayed],
        "prioritized": [job.id for job in prioritized],
        "waiting-children": [tree.job.id],
    }


async def test_queues_are_found_under_any_prefix(board: Board, url: str, new_queue: QueueFactory) -> None:
    named = [("bull", "mail"), ("shop", "mail"), ("shop:eu", "orders/2026 ü")]
    for prefix, name in named:
        async with Queue(name, url=url, prefix=prefix) as queue:
            await queue.add("hello")

    queues = await board.queues()

    assert set(queues) == {"mail", "shop:mail", "shop:eu:orders/2026 ü"}
    assert all(queue["counts"]["waiting"] == 1 for queue in queues.values())
    assert await Shown(board, "shop:eu:orders/2026 ü").ids("waiting") == ["1"]


async def test_queues_of_a_server_with_a_port_are_found(packages: None) -> None:
    with Valkey() as server:
        async with Queue("mail", url=server.url) as queue:
            job = await queue.add("hello")
        board = await asyncio.to_thread(Board, server.url)
        try:
            assert await Shown(board, "mail").ids("waiting") == [job.id]
        finally:
            board.end()


async def test_the_board_goes_on_when_the_server_is_back(packages: None, tmp_path: Path) -> None:
    home = str(tmp_path / "server")
    with ensure_server(home) as server:
        async with Queue("mail", url=server.url) as queue:
            job = await queue.add("hello")
        board = await asyncio.to_thread(Board, server.url)
    try:
        # Asked while there is no server, it answers when there is one.
        asked = asyncio.create_task(Shown(board, "mail").ids("waiting"))
        await asyncio.sleep(0)
        with ensure_server(home):
            assert await asked == [job.id]
    finally:
        board.end()


async def test_a_queue_is_found_before_it_has_jobs(board: Board, shown: Shown, queue: Queue) -> None:
    queues = await board.queues()

    assert list(queues) == [shown.name]
    assert queues[shown.name]["type"] == "bullmq"
    assert set(queues[shown.name]["counts"].values()) == {0}
    assert (queues[shown.name]["isPaused"], queues[shown.name]["hasWorkers"]) == (False, False)


async def test_jobs_of_each_state_are_counted_and_shown(
    shown: Shown, queue: Queue, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    async def act(job: Job) -> None:
        if job.name == "bad":
            raise Unrecoverable("never")
        if job.name == "held":
            await gate(job)

    gate = Gate()
    await start_worker(act, concurrency=2)
    done = [(await queue.add("good")).id for _ in range(3)]
    failed = [(await queue.add("bad")).id for _ in range(2)]
    held = [(await queue.add("held")).id for _ in range(2)]
    await eventually(lambda: has_counts(shown, {"completed": 3, "failed": 2, "active": 2}))
    ids = await fill(queue, url, prefix)

    expected = ids | {"completed": done[::-1], "failed": failed[::-1], "active": held[::-1]}
    assert await shown.counts() == {state: len(found) for state, found in expected.items()}
    for state, found in expected.items():
        assert sorted(await shown.ids(state)) == sorted(found), state
    assert sorted(await shown.ids("latest")) == sorted(id for found in expected.values() for id in found)
    gate.opened.set()


async def has_counts(shown: Shown, wanted: dict[str, int]) -> bool:
    return await shown.counts() == wanted


async def test_pages_show_the_jobs_that_toril_lists(shown: Shown, queue: Queue) -> None:
    await queue.add_many(("plain", number) for number in range(25))

    page = await shown.page("waiting", 2, 10)

    assert page["pagination"]["pageCount"] == 3
    mine = [job.id for job in await queue.get_jobs("waiting", 10, 19)]
    assert [job["id"] for job in page["jobs"]] == mine
    assert len(await shown.ids("waiting", 3, 10)) == 5


async def test_jobs_of_a_paused_queue_are_shown_as_waiting(shown: Shown, queue: Queue) -> None:
    job = await queue.add("plain")
    await queue.pause()

    page = await shown.page("waiting")

    assert page["isPaused"] is True
    assert [job["id"] for job in page["jobs"]] == [job.id]


async def test_a_waiting_job_is_shown_with_its_data_and_options(shown: Shown, queue: Queue) -> None:
    data = {"to": "ö@example.org", "rows": [1, None, {"deep": True}], "text": "a/b\n"}
    options: dict[str, Any] = {
        "attempts": 3,
        "backoff": {"type": "exponential", "delay": 250, "jitter": 0.5},
        "delay": 90,
        "priority": 7,
        "remove_on_complete": {"age": 60, "count": 5},
        "keep_logs": 20,
        "deduplication": {"id": "once", "ttl": 30_000},
        "extra": {"tenant": "blue"},
    }
    job = await queue.add("send", data, **options)

    seen = await shown.job(job.id)

    assert (seen["id"], seen["name"], seen["status"]) == (job.id, "send", "delayed")
    assert seen["data"] == data
    assert (seen["delay"], seen["priority"], seen["deduplicationId"]) == (90_000, 7, "once")
    assert seen["timestamp"] == job.timestamp_ms
    assert (seen["attempts"], seen["progress"], seen["isFailed"]) == (0, 0, False)
    assert seen["opts"] == {
        "attempts": 3,
        "backoff": {"type": "exponential", "delay": 250, "jitter": 0.5},
        "delay": 90_000,
        "priority": 7,
        "removeOnComplete": {"age": 60, "count": 5},
        "keepLogs": 20,
        "deduplication": {"id": "once", "ttl": 30_000},
        "tenant": "blue",
    }


async def test_a_completed_job_is_shown_with_what_became_of_it(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    async def work(job: Job) -> Any:
        await job.update_progress({"percent": 40, "step": "half"})
        for number in range(3):
            await job.log(f"row {number}: ü")
        if job.attempts_made == 0:
            raise ValueError("not yet")
        return {"answer": [42, None]}

    job = await queue.add("sum", [1, 2], attempts=2)
    await start_worker(work, name="left-hand")
    await job.result(5)
    await job.refresh()

    seen = await shown.job(job.id)

    assert seen["status"] == "completed"
    assert seen["returnValue"] == {"answer": [42, None]}
    assert seen["progress"] == {"percent": 40, "step": "half"}
    assert (seen["attempts"], seen["processedBy"]) == (2, "left-hand")
    assert seen["timestamp"] <= seen["processedOn"] <= seen["finishedOn"]
    assert seen["finishedOn"] == job.finished_on_ms
    assert await shown.get(job.id, "logs") == [f"row {number}: ü" for number in range(3)] * 2


async def test_a_failed_job_is_shown_with_its_errors(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    async def work(job: Job) -> None:
        raise LookupError(f"no shelf {job.attempts_made + 1}")

    job = await queue.add("fetch", attempts=2)
    await start_worker(work)
    await eventually(lambda: has_counts(shown, {"failed": 1}))

    [seen] = (await shown.page("failed"))["jobs"]

    assert seen["id"] == job.id
    assert seen["isFailed"] is True
    assert re.search("no shelf 2$", seen["failedReason"])
    # The board turns the list around: the last error comes first.
    assert [re.findall(r"LookupError: no shelf (\d)", trace) for trace in seen["stacktrace"]] == [
        ["2"],
        ["1"],
    ]
    assert "processedBy" not in seen
    assert seen["attempts"] == 2


async def test_a_tree_of_three_levels_is_shown_from_each_of_its_jobs(
    board: Board, url: str, prefix: str, new_queue: QueueFactory, start_worker: WorkerStarter
) -> None:
    leaf = Flow("leaf", queue="leaves")
    bad = Flow("bad", queue="leaves", on_failure="ignore")
    middle = Flow("middle", queue="trunk", children=[leaf, bad])
    async with FlowProducer(url=url, prefix=prefix) as producer:
        tree = await producer.add(
            Flow("root", queue="trunk", children=[middle, Flow("late", queue="leaves", delay=60)])
        )

    async def work(job: Job) -> str:
        if job.name == "bad":
            raise Unrecoverable("rotten")
        return job.name

    await start_worker(work, "leaves")
    await start_worker(work, "trunk")
    trunk, leaves = Shown(board, f"{prefix}:trunk"), Shown(board, f"{prefix}:leaves")
    await eventually(lambda: has_counts(trunk, {"completed": 1, "waiting-children": 1}))

    from_root = await trunk.get(tree.job.id, "flow")
    below = {node.job.name: node.job for node in tree.children[0].children}
    from_leaf = await leaves.get(below["leaf"].id, "flow")

    assert (from_root["isFlowNode"], from_leaf["isFlowNode"]) == (True, True)
    assert from_root["flowRoot"] == from_leaf["flowRoot"]
    root = from_root["flowRoot"]
    assert (root["name"], root["state"], root["queueName"]) == ("root", "waiting-children", trunk.name)
    assert root["dependencies"] == {"processed": 1, "unprocessed": 1, "ignored": 0, "failed": 0}
    [middle_node] = [node for node in root["children"] if node["name"] == "middle"]
    [late_node] = [node for node in root["children"] if node["name"] == "late"]
    assert (late_node["state"], late_node["queueName"]) == ("delayed", leaves.name)
    assert middle_node["state"] == "completed"
    assert list(middle_node["ignoredChildFailureReasons"].values()) == ["rotten"]
    states = {node["name"]: node["state"] for node in middle_node["children"]}
    assert states == {"leaf": "completed", "bad": "failed"}
    seen = await leaves.job(below["leaf"].id)
    assert seen["opts"]["parent"] == {"id": tree.children[0].job.id, "queue": f"{prefix}:trunk"}


async def test_a_job_that_was_put_off_is_shown_with_its_starts(
    shown: Shown, queue: Queue, start_worker: WorkerStarter
) -> None:
    async def work(job: Job) -> None:
        raise Delay(3600)

    job = await queue.add("later")
    await start_worker(work)
    await eventually(lambda: has_counts(shown, {"delayed": 1}))

    seen = await shown.job(job.id)

    assert (seen["attempts"], seen["attemptsStarted"]) == (0, 1)


async def test_a_parent_that_is_to_fail_is_shown_with_the_reason(
    board: Board, url: str, prefix: str, start_worker: WorkerStarter
) -> None:
    async def work(job: Job) -> None:
        raise Unrecoverable("rotten")

    bad = Flow("bad", queue="leaves", on_failure="fail_parent")
    async with FlowProducer(url=url, prefix=prefix) as producer:
        tree = await producer.add(Flow("root", queue="trunk", children=[bad]))
    await start_worker(work, "leaves")
    trunk = Shown(board, f"{prefix}:trunk")
    await eventually(lambda: has_counts(trunk, {"waiting": 1}))

    seen = await trunk.job(tree.job.id)

    assert seen["deferredFailure"] == f"child {prefix}:leaves:{tree.children[0].job.id} failed"


async def test_a_job_that_is_not_there_is_not_shown(shown: Shown, queue: Queue) -> None:
    with pytest.raises(Refused) as caught:
        await shown.job("4711")

    assert caught.value.status == 404


async def test_the_board_is_a_page_for_browsers(board: Board, shown: Shown, queue: Queue) -> None:
    page = await board.html("/")

    assert "<title>" in page
    script = re.search(r'src="([^"]+\.js)"', page)
    assert script is not None
    assert len(await board.html(f"/{script[1].removeprefix('/')}")) > 100_000


async def test_looking_changes_nothing(
    board: Board, shown: Shown, queue: Queue, url: str, prefix: str, database: Database
) -> None:
    await fill(queue, url, prefix)
    await queue.upsert_job_scheduler("daily", cron="0 5 * * *")
    before = database.dump()

    for state in ("latest", "waiting", "delayed", "prioritized", "waiting-children", "completed", "failed"):
        await shown.page(state)
    for part in ("metrics", "workers", "default-job-options", "rate-limit"):
        await shown.get(part)
    for id in await shown.ids("latest"):
        await asyncio.gather(shown.job(id), shown.get(id, "logs"), shown.get(id, "flow"))
    await board.ask("GET", "/api/job-schedulers")
    await board.ask("GET", "/api/redis/stats")

    assert database.dump() == before
