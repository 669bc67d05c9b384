"""Batches of questions: how many are under way, in which order, and that nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from toril.errors import StoreUnavailable
from toril.model.names import QueueRef
from toril.store.redis.coalesce import Coalescer
from toril.store.redis.jobs import RedisJobs
from toril.store.redis.sender import MOST_UNDER_WAY
from toril.store.values import NewJob


class Echo:
    """Answers each question with itself, some turns later, and counts the batches under way."""

    def __init__(self) -> None:
        self.under_way = self.most = 0
        self.sizes: list[int] = []

    async def send(self, questions: Sequence[int]) -> list[int | Exception]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.sizes.append(len(questions))
        for _ in range(3 + len(questions) % 5):
            await asyncio.sleep(0)
        self.under_way -= 1
        return list(questions)


@pytest.mark.parametrize("lanes", [1, 2, 8])
async def test_no_more_batches_are_under_way_than_there_are_lanes(lanes: int) -> None:
    echo = Echo()
    coalescer: Coalescer[int, int] = Coalescer(echo.send, lambda _: 1, lanes=lanes, most=10)

    async def ask(caller: int) -> list[int]:
        return [await coalescer.ask(caller * 100 + number) for number in range(20)]

    answers = await asyncio.gather(*(ask(caller) for caller in range(200)))

    assert answers == [[caller * 100 + number for number in range(20)] for caller in range(200)]
    assert min(lanes, 2) <= echo.most <= lanes
    assert max(echo.sizes) == 10


async def test_two_halves_go_one_behind_the_other() -> None:
    echo = Echo()
    coalescer: Coalescer[int, int] = Coalescer(echo.send, lambda _: 1, lanes=8)
    await asyncio.gather(*(coalescer.ask(number) for number in range(40)))

    # The first finds nothing under way and goes alone; who comes meanwhile goes together, and then in two.
    assert echo.sizes == [1, 39]
    echo.sizes.clear()

    async def ask_twice(number: int) -> None:
        await coalescer.ask(number)
        await coalescer.ask(number)

    await asyncio.gather(*(ask_twice(number) for number in range(41)))
    assert echo.sizes == [1, 40, 21, 20]


async def test_an_error_reaches_each_who_asked() -> None:
    async def refuse(_: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        raise StoreUnavailable("gone")

    coalescer: Coalescer[int, int] = Coalescer(refuse, lambda _: 1, slow=0)
    answers = await asyncio.gather(*(coalescer.ask(number) for number in range(5)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [StoreUnavailable] * 5


async def test_who_asks_after_a_lane_was_cancelled_gets_an_answer() -> None:
    echo = Echo()
    coalescer: Coalescer[int, int] = Coalescer(echo.send, lambda _: 1, lanes=8)
    alone = asyncio.create_task(coalescer.ask(0))
    await asyncio.sleep(0)
    before = asyncio.all_tasks()
    first = asyncio.gather(*(coalescer.ask(number) for number in range(1, 11)))
    for _ in range(2):
        await asyncio.sleep(0)
    [lane] = (task for task in asyncio.all_tasks() - before if "_send_all" in repr(task))
    lane.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    assert await alone == 0
    assert await asyncio.wait_for(coalescer.ask(11), 5) == 11


async def test_who_asks_alone_and_gives_up_leaves_the_way_to_others() -> None:
    echo = Echo()
    coalescer: Coalescer[int, int] = Coalescer(echo.send, lambda _: 1)
    first = asyncio.create_task(coalescer.ask(1))
    second = asyncio.create_task(coalescer.ask(2))
    await asyncio.sleep(0)
    first.cancel()

    assert await asyncio.wait_for(second, 5) == 2
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize("others", [0, 1, 20])
async def test_draining_waits_for_all_that_was_asked(others: int) -> None:
    echo = Echo()
    coalescer: Coalescer[int, int] = Coalescer(echo.send, lambda _: 1, lanes=2)
    asked = [asyncio.create_task(coalescer.ask(number)) for number in range(1 + others)]
    await asyncio.sleep(0)
    await asyncio.wait_for(coalescer.drain(), 5)

    assert sum(echo.sizes) == 1 + others
    assert await asyncio.gather(*asked) == list(range(1 + others))


class Losing:
    """Loses the first call of some chunks, as when the connection is cut."""

    in_order = True

    def __init__(self, lost: set[int]) -> None:
        self._lost = lost
        self.chunks: list[int] = []

    async def run(self, _name: str, _queue: QueueRef, packed: bytes, *_: Any) -> list[bytes]:
        ids = [job[1].encode() for job in msgspec.msgpack.decode(packed)]
        chunk = int(ids[0]) // 100
        await asyncio.sleep(0)
        if chunk in self._lost:
            self._lost.discard(chunk)
            raise StoreUnavailable("the connection is lost")
        self.chunks.append(chunk)
        return ids


async def test_chunks_keep_their_order_when_some_are_repeated() -> None:
    # All that is under way when the first has been answered.
    losing: Any = Losing(set(range(1, MOST_UNDER_WAY)))
    chunks = MOST_UNDER_WAY + 3
    jobs = RedisJobs(losing, lambda: 1, receipts=True)
    new = [NewJob("work", str(number), "{}", 1, 0, 0, False) for number in range(100 * chunks)]
    added = await jobs.add_many(QueueRef("bull", "tasks"), new, atomic=False)

    assert losing.chunks == list(range(chunks))
    assert [getattr(answer, "id", None) for answer in added] == [
        str(number) for number in range(100 * chunks)
    ]
