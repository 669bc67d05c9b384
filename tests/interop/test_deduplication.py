"""Adds of both sides that mean the same job."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

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


async def test_each_side_finds_and_frees_the_key_of_the_other(node: NodePeer, queue: Queue) -> None:
    """A key that is free again stands for the next job, though the first one still waits."""
    for key, first_by_toril in (("ours", True), ("theirs", False)):
        option = {"id": key, "ttl": 3_600_000}
        first = (await add_either(node, queue, option, by_toril=first_by_toril))["id"]
        asked = {"queue": "work", "key": key}
        assert await node.request("getDeduplicationJobId", **asked) == first
        assert await queue.get_deduplication_job_id(key) == first

        if first_by_toril:
            removed = [await node.request("removeDeduplicationKey", **asked) for _ in range(2)]
        else:
            removed = [await queue.remove_deduplication_key(key) for _ in range(2)]

        assert removed == [1, 0]
        assert await node.request("getDeduplicationJobId", **asked) is None
        assert await queue.get_deduplication_job_id(key) is None
        assert (await add_either(node, queue, option, by_toril=first_by_toril))["id"] != first
    assert await queue.count() == 4


async def add_either(node: NodePeer, queue: Queue, option: dict[str, Any], *, by_toril: bool) -> Any:
    if by_toril:
        return {"id": (await queue.add("echo", deduplication=option)).id}
    return await node.add("echo", deduplication=option)


@pytest.mark.parametrize("first_by_toril", [True, False])
async def test_a_duplicate_of_the_other_side_gives_its_delay(
    node: NodePeer, queue: Queue, first_by_toril: bool
) -> None:
    if first_by_toril:
        job = await queue.add("echo", "first", delay=3600, deduplication=Dedup("calm", reschedule=True))
        await node.add("echo", "second", delay=100, deduplication={"id": "calm", "reschedule": True})
    else:
        added = await node.add(
            "echo", "first", delay=3_600_000, deduplication={"id": "calm", "reschedule": True}
        )
        again = await queue.add("echo", "second", delay=0.1, deduplication=Dedup("calm", reschedule=True))
        assert (again.created, again.id) == (False, added["id"])
        job = again

    await node.work()
    assert await job.result(5) == "first"


@pytest.mark.parametrize("first_by_toril", [True, False])
async def test_what_is_kept_for_later_follows_on_the_other_side(
    node: NodePeer, queue: Queue, working: Working, first_by_toril: bool
) -> None:
    """Both sides add while the job runs. The last of them is run, with the data and options it was given."""
    option = {"id": "busy", "keepLastIfActive": True}
    started, go_on = asyncio.Event(), asyncio.Event()

    async def wait(job: Job) -> Any:
        if job.name == "hold":
            started.set()
            await go_on.wait()
        return job.data

    await node.listen()
    async with working(wait):
        first = await queue.add("hold", deduplication=option)
        await started.wait()
        if first_by_toril:
            await queue.add("echo", "ours", deduplication=option)
            await node.add("echo", {"last": [1]}, attempts=7, deduplication=option)
        else:
            await node.add("echo", "theirs", deduplication=option)
            await queue.add(
                "echo", {"last": [1]}, attempts=7, deduplication=Dedup("busy", keep_last_if_active=True)
            )
        go_on.set()
        await eventually(lambda: has_completed(queue, 2))

    [last] = [job for job in await queue.get_completed() if job.id != first.id]
    assert (last.name, last.data, last.return_value) == ("echo", {"last": [1]}, {"last": [1]})
    assert last.stored_opts["attempts"] == 7


async def has_completed(queue: Queue, count: int) -> bool:
    return await queue.get_completed_count() == count
