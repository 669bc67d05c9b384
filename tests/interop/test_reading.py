"""Both sides see the same in a queue, after the same work."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from tests.interop.conftest import Working
from tests.interop.node import QUEUE, NodePeer
from tests.support.database import Database
from tests.support.eventually import eventually
from toril import Metrics, MetricsTime, Queue
from toril.core.dependencies import DependencyKind
from toril.embedded import EmbeddedServer
from toril.model.duration import datetime_to_ms

STATES = ("active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children")
SPANS = [
    *((0, -1), (0, 0), (0, 3), (2, 4), (5, 9), (9, 9), (9, 30), (20, 30), (5, 3), (0, -3), (2, -2), (0, -50)),
    *((-1, -1), (-3, -1), (-4, -2), (-30, 4), (-30, -20), (-2, 1), (-1, 20)),
]


@pytest.fixture
async def full(queue: Queue, node: NodePeer, server: EmbeddedServer, working: Working) -> Queue:
    """A queue with jobs in most states, some of which are gone."""
    for number in range(6):
        await queue.add("echo", number)
        await node.add("give-up", {})
    async with working(metrics_points=MetricsTime.ONE_HOUR, concurrency=3):
        await eventually(lambda: _settled(queue, 12))
    for number in range(12):
        await queue.add("echo", number)
        await queue.add("echo", number, delay=100 + number)
        await node.add("echo", {}, priority=1 + number % 3)
    with Database(server.url) as database:
        for number in (2, 3, 13, 16, 17, 20, 21, 22, 30, 34, 40, 46):
            database.command("DEL", queue.ref.job_key(str(number)))
    return queue


async def _settled(queue: Queue, count: int) -> bool:
    return await queue.get_job_count_by_types("completed", "failed") == count


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize(
    "states",
    [["waiting"], ["delayed"], ["failed", "completed"], ["prioritized", "wait", "waiting", "paused"]],
)
async def test_pages_are_the_same(node: NodePeer, full: Queue, states: list[str], ascending: bool) -> None:
    for start, end in SPANS:
        span = {"queue": QUEUE, "states": states, "start": start, "end": end, "asc": ascending}
        jobs = await full.get_jobs(states, start, end, ascending=ascending)
        assert [job.id for job in jobs] == await node.request("getJobs", **span), span
        ids = await full.get_ranges(states, start, end, ascending=ascending)
        assert ids == await node.request("getRanges", **span), span


async def test_counts_are_the_same(node: NodePeer, full: Queue) -> None:
    assert await full.get_job_counts() == await node.counts()
    before = datetime.now(UTC) + timedelta(seconds=106)
    counted = await node.request("getDelayedCount", queue=QUEUE, before=datetime_to_ms(before, "before"))
    assert await full.get_delayed_count(before) == counted
    assert 5 <= counted <= 8


async def test_everything_is_walked(node: NodePeer, full: Queue) -> None:
    walked = [job.id async for job in full.iter_jobs(STATES, batch=7)]
    listed = await node.request("getJobs", queue=QUEUE, states=STATES, start=0, end=-1, asc=True)
    assert len(walked) == len(set(walked))
    assert sorted(walked) == sorted(listed)


async def test_metrics_are_the_same(node: NodePeer, full: Queue) -> None:
    kinds: tuple[Literal["completed", "failed"], ...] = ("completed", "failed")
    for kind in kinds:
        mine = await full.get_metrics(kind)
        theirs = await node.request("getMetrics", queue=QUEUE, state=kind)
        assert theirs["meta"]["count"] == mine.count == 6
        assert mine.prev_ts is not None
        assert theirs["meta"]["prevTS"] == datetime_to_ms(mine.prev_ts, "prev_ts")
        assert theirs["meta"]["prevCount"] == mine.prev_count
        assert (theirs["data"], theirs["count"]) == (mine.data, mine.points)
    labels = {"env": 'a "b"\n\\'}
    text = await node.request("exportPrometheusMetrics", queue=QUEUE, labels=labels)
    assert await full.export_prometheus_metrics(labels) == text


async def test_metrics_that_node_keeps_are_read(node: NodePeer, queue: Queue, server: EmbeddedServer) -> None:
    await node.work(metrics={"maxDataPoints": 60})
    first = await queue.add("echo", 1)
    await first.result(timeout=10)
    with Database(server.url) as database:
        key = f"{queue.ref.base}metrics:completed"
        earlier = int(database.command("HGET", key, "prevTS")) - 180_000
        database.command("HSET", key, "prevTS", earlier)
    second = await queue.add("echo", 2)
    await second.result(timeout=10)

    metrics = await eventually(lambda: _counted(queue, 2))
    assert metrics is not None
    assert (metrics.data, metrics.points, metrics.prev_count) == ([0, 0, 1], 3, 1)


async def _counted(queue: Queue, count: int) -> Metrics | None:
    metrics = await queue.get_metrics("completed")
    return metrics if metrics.count == count else None


async def test_who_is_connected_is_the_same(node: NodePeer, queue: Queue, working: Working) -> None:
    await node.work(name="node")
    await node.listen()
    async with working(name="toril"), working():
        await eventually(lambda: _are_there(queue, {"toril", "node", None}))
        mine = {worker.id for worker in await queue.get_workers()}
        theirs = await node.request("getWorkers", queue=QUEUE)
        assert {worker["id"] for worker in theirs} == mine
        readers = await node.request("getQueueEvents", queue=QUEUE)
        assert [reader["id"] for reader in readers] == [
            client.id for client in await queue.get_queue_events()
        ]
        assert len(readers) == 1


async def _are_there(queue: Queue, names: set[str | None]) -> bool:
    return {worker.name for worker in await queue.get_workers()} == names


async def test_children_are_the_same(node: NodePeer, queue: Queue, working: Working) -> None:
    parent, _ = await node.add_flow(
        "gather", QUEUE, [{"name": "echo", "queueName": "kids", "data": {"n": n}} for n in range(5)]
    )
    async with working(queue="kids"):
        await eventually(lambda: _done(queue, parent, 5))
    await queue.add("echo", parent={"id": parent, "queue": queue.ref.qualified}, delay=60)

    kinds: tuple[DependencyKind, ...] = ("processed", "pending")
    for kind in kinds:
        theirs = await node.request("getDependencies", queue=QUEUE, jobId=parent, kind=kind)
        mine = await queue.get_dependencies(parent, kind)
        assert mine.total == theirs["total"] > 0
        values = {item["id"]: item.get("v") for item in theirs["items"]}
        assert {child.key: child.value for child in mine.items} == values
        assert sorted(child.job.name for child in mine.items if child.job) == sorted(theirs["names"])


async def _done(queue: Queue, parent: str, count: int) -> bool:
    return (await queue.get_dependencies(parent)).total == count
