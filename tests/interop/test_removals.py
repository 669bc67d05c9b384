"""What one side removes or limits is so for the other."""

from __future__ import annotations

import asyncio

from tests.interop.conftest import Working
from tests.interop.node import NodePeer
from tests.support.eventually import eventually
from toril import Queue, RateLimiter


async def test_node_goes_on_after_toril_has_drained_and_cleaned(node: NodePeer, queue: Queue) -> None:
    await node.listen()
    for number in range(5):
        await node.add("echo", number, priority=number)
        await node.add("echo", number, delay=60_000)

    assert await queue.drain() == 5
    assert len(await queue.clean(limit=3, state="delayed")) == 3
    assert (await node.told("cleaned"))["count"] == "3"
    assert (await node.counts())["delayed"] == 2

    await node.work()
    added = await node.add("echo", "still there")
    assert await node.result(added["id"]) == "still there"


async def test_a_queue_that_toril_has_obliterated_begins_anew(node: NodePeer, queue: Queue) -> None:
    await node.add_many(*(("echo", number) for number in range(300)))
    await queue.obliterate(everything=True)
    assert sum((await node.counts()).values()) == 0

    added = await node.add("echo", "first")
    assert added["id"] == "1"
    await node.work()
    assert await node.result("1") == "first"


async def test_node_keeps_to_limits_that_toril_has_set(node: NodePeer, queue: Queue) -> None:
    await queue.set_global_concurrency(1)
    await node.work(concurrency=3)
    await node.add_many(*(("hold", number) for number in range(3)))
    await eventually(queue.is_maxed)
    assert await node.counts() | {"active": 1, "waiting": 2} == await node.counts()

    # Its worker hears at once that more may run: it looks by itself only each minute.
    await queue.set_global_concurrency(2)
    await eventually(queue.is_maxed)
    await node.request("release")


async def test_toril_keeps_to_limits_that_node_has_set(
    node: NodePeer, queue: Queue, working: Working
) -> None:
    await node.request("setGlobalRateLimit", queue=queue.name, max=2, duration=60_000)
    await node.request("setGlobalConcurrency", queue=queue.name, concurrency=7)
    assert await queue.get_global_rate_limit() == RateLimiter(2, 60.0)
    assert await queue.get_global_concurrency() == 7
    jobs = [await queue.add("echo", number) for number in range(4)]

    async with working(concurrency=4):
        results = await asyncio.gather(*(job.result(5) for job in jobs[:2]))
        assert results == [0, 1]
        left = await queue.get_rate_limit_ttl()
        assert left is not None
        assert 50 < left <= 60
        assert await queue.get_waiting_count() == 2
