"""Adds of both sides that mean the same job."""

from __future__ import annotations

from typing import Any

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.support.eventually import eventually
from toril import Dedup, Job, Queue


async def test_one_job_at_a_time(node: NodePeer, queue: Queue, working: Working) -> None:
    await node.listen()
    first = await queue.add("echo", "toril", deduplication=Dedup.simple("same"))
    second = await node.add("echo", "node", deduplication={"id": "same"})
    third = await queue.add("echo", "toril again", deduplication=Dedup.simple("same"))

    assert (first.created, second["id"], third.created, third.id) == (True, first.id, False, first.id)
    assert await queue.count() == 1
    told = await node.told("deduplicated", first.id)
    assert told == {"jobId": first.id, "deduplicationId": "same", "deduplicatedJobId": "2"}

    async with working():
        assert await node.result(first.id) == "toril"
        # It has finished, so the next one is a job of its own.
        fourth = await node.add("echo", "node", deduplication={"id": "same"})
        assert await node.result(fourth["id"]) == "node"


async def test_toril_gives_way_to_a_job_of_node(node: NodePeer, queue: Queue) -> None:
    first = await node.add("echo", "node", deduplication={"id": "same"})

    second = await queue.add("echo", "toril", deduplication=Dedup("same"))
    assert (second.created, second.id, second.data) == (False, first["id"], "node")

    await node.work()
    assert await second.result(5) == "node"
    third = await queue.add("echo", "toril", deduplication=Dedup("same"))
    assert third.created
    assert await third.result(5) == "toril"


async def test_a_throttle_holds_beyond_the_end_of_its_job(node: NodePeer, queue: Queue) -> None:
    await node.work()
    first = await queue.add("echo", 1, deduplication=Dedup.throttle("slow", ttl=3600))
    assert await first.result(5) == 1

    assert (await node.add("echo", 2, deduplication={"id": "slow", "ttl": 3_600_000}))["id"] == first.id
    assert not (await queue.add("echo", 3, deduplication=Dedup.throttle("slow", ttl=3600))).created

    await first.remove()

    assert (await queue.add("echo", 4, deduplication=Dedup.throttle("slow", ttl=3600))).created


async def test_the_last_one_wins_on_either_side(node: NodePeer, queue: Queue) -> None:
    await node.listen()
    debounce: dict[str, Any] = {"id": "calm", "ttl": 3_600_000, "extend": True, "replace": True}
    first = await node.add("echo", "first", delay=3_600_000, deduplication=debounce)
    second = await queue.add("echo", "second", delay=3600, deduplication=Dedup.debounce("calm", ttl=3600))
    third = await node.add("echo", "third", delay=3_600_000, deduplication=debounce)

    assert second.created
    assert len({first["id"], second.id, third["id"]}) == 3
    assert [job.data for job in await queue.get_delayed()] == ["third"]
    for old, new in ((first["id"], second.id), (second.id, third["id"])):
        assert await node.told("removed", old) == {"jobId": old, "prev": "delayed"}
        expected = {"jobId": new, "deduplicationId": "calm", "deduplicatedJobId": old}
        assert await node.told("deduplicated", new) == expected


async def test_the_last_add_of_node_follows_a_running_job_of_toril(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    keep = Dedup("busy", keep_last_if_active=True)
    theirs: dict[str, Any] = {"id": "busy", "keepLastIfActive": True}
    runs: list[Any] = []

    async def run(job: Job) -> None:
        runs.append(job.data)
        if len(runs) == 1:
            await node.add("echo", "dropped", deduplication=theirs)
            await node.add("echo", "last", deduplication=theirs)

    async with working(run):
        await queue.add("echo", "first", deduplication=keep)
        await eventually(lambda: has_completed(queue, 2))

    assert runs == ["first", "last"]


async def test_the_last_add_of_toril_follows_a_running_job_of_node(node: NodePeer, queue: Queue) -> None:
    keep = Dedup("busy", keep_last_if_active=True)
    first = await queue.add("hold", deduplication=keep)
    await node.work()
    await node.did("active", first.id)

    dropped = await queue.add("echo", "dropped", deduplication=keep)
    last = await queue.add("echo", "last", deduplication=keep)
    await node.request("release")
    notes = await node.notes_of(2, event="completed")

    assert (dropped.created, last.created) == (False, False)
    assert [note["value"] for note in notes] == ["held by node", "last"]


async def has_completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count
