"""Each side reads the events of the other one, with the other one's readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.interop.payloads import PAYLOADS
from tests.support.database import Database
from toril import Event, Queue, QueueEvents, Worker
from toril.embedded import EmbeddedServer


@pytest.fixture
async def events(server: EmbeddedServer, prefix: str) -> AsyncIterator[QueueEvents]:
    async with QueueEvents("work", url=server.url, prefix=prefix) as opened:
        yield opened


async def read_until(events: QueueEvents, name: str) -> list[Event]:
    found: list[Event] = []
    async with asyncio.timeout(20):
        async for event in events:
            found.append(event)
            if event.name == name:
                return found
    raise AssertionError("the events ended")


async def test_node_reads_events_of_ones_own(node: NodePeer, queue: Queue) -> None:
    await node.listen()

    await queue.publish_event("greet", who="wörld", n=1, list=[1, None], jobId="7")

    assert await node.told("greet", "7") == {"who": "wörld", "n": "1", "list": "[1,null]", "jobId": "7"}


async def test_node_goes_on_past_a_worker_that_was_lost(
    node: NodePeer, queue: Queue, server: EmbeddedServer, database: Database, prefix: str
) -> None:
    await node.listen()
    database.command("HSET", f"{prefix}:{queue.name}:toril:workers", "w1", "{}")
    async with Worker(queue.name, url=server.url, prefix=prefix) as worker:
        await worker.check_stalled()
    assert [event.name async for event in queue.iter_events()] == ["worker-lost"]

    await node.work()
    job = await node.add("report", {"rows": [], "progress": []})
    assert (await node.told("completed", job["id"]))["jobId"] == job["id"]


async def test_toril_reads_events_of_nodes_own(node: NodePeer, events: QueueEvents) -> None:
    event = {"eventName": "greet", "who": "wörld", "n": 1, "jobId": "7"}
    await node.request("publish", queue="work", event=event, maxEvents=1000)

    told = (await read_until(events, "greet"))[-1]

    assert (told.name, told.job_id) == ("greet", "7")
    assert told.fields == {"event": "greet", "who": "wörld", "n": "1", "jobId": "7"}


async def test_toril_reads_what_a_worker_of_node_tells(node: NodePeer, events: QueueEvents) -> None:
    await node.work()
    job = await node.add("report", {"rows": [], "progress": [1, {"b": 2}]})
    told = await read_until(events, "drained")

    assert [event.name for event in told] == [
        *("added", "waiting", "active", "progress", "progress", "completed", "drained")
    ]
    assert {event.job_id for event in told[:-1]} == {job["id"]}
    assert [event.progress for event in told[3:5]] == [1, {"b": 2}]
    assert told[5].return_value == "reported by node"


async def test_toril_decodes_what_node_returns(node: NodePeer, events: QueueEvents) -> None:
    await node.work()
    for payload in PAYLOADS:
        await node.add("echo", payload)
        completed = next(event for event in await read_until(events, "drained") if event.name == "completed")
        assert completed.return_value == payload


async def test_both_readers_are_told_the_same(
    node: NodePeer, queue: Queue, events: QueueEvents, working: Working
) -> None:
    await node.listen()
    async with working():
        await queue.add("fail", {"times": 1}, attempts=2, backoff=0.01)
        told = await read_until(events, "completed")
        await node.told("completed")

    notes = node.noted(**{"from": "events", "queue": "work"})
    assert [note["event"] for note in notes][: len(told)] == [event.name for event in told]
    assert [note["args"].get("prev") for note in notes][: len(told)] == [event.prev for event in told]


async def test_node_finds_the_connection_that_reads(
    node: NodePeer, queue: Queue, events: QueueEvents
) -> None:
    await queue.publish_event("greet")
    await read_until(events, "greet")

    assert len(await node.request("getQueueEvents", queue="work")) == 1
