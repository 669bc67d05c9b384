"""Events wherever the server is, and in a cluster of many slots."""

from __future__ import annotations

import asyncio

import pytest

from tests.servers.places import Places
from tests.support.eventually import eventually
from toril import Queue, QueueEvents

SECONDS = 15.0


async def next_name(events: QueueEvents) -> str:
    async with asyncio.timeout(SECONDS):
        async for event in events:
            return event.name
    raise AssertionError("the events ended")


@pytest.mark.parametrize("place", ["cluster-1-node", "cluster-3-nodes"])
async def test_readers_of_one_slot_share_a_connection(places: Places, place: str) -> None:
    """Those of another slot have their own; a wait in a cluster is ended by giving its connection up."""
    url = places.find(place).url
    names = ["{shared}a", "{shared}b", "{other}"]
    queues = [Queue(name, url=url) for name in names]
    events = [QueueEvents(name, url=url, reader="kept", blocking_timeout=30) for name in names]
    for one in events:
        await one.ready()
    for turn in ("tick", "tock"):
        reading = [asyncio.create_task(next_name(one)) for one in events]
        for queue in reversed(queues):
            await queue.publish_event(turn)
        assert await asyncio.gather(*reading) == [turn] * 3

    for closing in (*events, *queues):
        await closing.close()
    for one in events:
        # It was in hand when the reader was closed.
        assert await next_name(one) == "tock"
        await one.forget()
        await one.close()


async def test_results_of_many_slots(places: Places) -> None:
    url = places.find("cluster-3-nodes").url
    queues = [Queue(f"{{result{number}}}", url=url) for number in range(6)]
    jobs = [await queue.add("any") for queue in queues]
    waiting = [asyncio.create_task(job.result(SECONDS)) for job in jobs]
    await asyncio.sleep(0)
    for job in jobs:
        await eventually(job.is_waiting)
        await job.remove()

    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error).__name__ for error in found} == {"JobRemoved"}
    for queue in queues:
        await queue.close()
