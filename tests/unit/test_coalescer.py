"""Calls that share their way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from toril.store.redis.coalesce import Coalescer


class Far:
    """A place whose answers are given one by one.

    Attributes:
        asked: The batches that came so far, in order.
    """

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self._answers: list[asyncio.Future[None]] = []

    async def send(self, batch: Sequence[int]) -> Sequence[int]:
        """Take a batch, and answer when told."""
        self.asked.append([*batch])
        self._answers.append(asyncio.get_running_loop().create_future())
        await self._answers[-1]
        return batch

    async def answer(self, batch: int) -> None:
        """Answer a batch, and let everybody react."""
        self._answers[batch].set_result(None)
        for _ in range(5):
            await asyncio.sleep(0)


async def asking(coalescer: Coalescer[int, int], numbers: Sequence[int]) -> list[asyncio.Task[int]]:
    """Ask all of them at once."""
    tasks = [asyncio.create_task(coalescer.ask(number)) for number in numbers]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_full_batches_leave_in_order_as_far_as_there_is_room() -> None:
    far = Far()
    coalescer: Coalescer[int, int] = Coalescer(far.send, lambda _: 1, most=10, room=lambda: 3)
    tasks = await asking(coalescer, range(45))
    assert far.asked == [[*range(10)], [*range(10, 20)], [*range(20, 30)]]

    await far.answer(1)
    assert far.asked[3:] == [[*range(30, 40)]]
    await far.answer(0)
    assert far.asked[4:] == [[*range(40, 45)]]
    for batch in (2, 3, 4):
        await far.answer(batch)
    assert await asyncio.gather(*tasks) == [*range(45)]


async def test_a_batch_that_is_not_full_waits_for_the_one_before() -> None:
    far = Far()
    coalescer: Coalescer[int, int] = Coalescer(far.send, lambda _: 1, most=10, room=lambda: 3)
    tasks = [*await asking(coalescer, [1]), *await asking(coalescer, [2, 3])]
    assert far.asked == [[1]]

    await far.answer(0)
    assert far.asked == [[1], [2, 3]]
    await far.answer(1)
    await coalescer.drain()
    assert [task.result() for task in tasks] == [1, 2, 3]


async def test_one_at_a_time_is_what_a_coalescer_does_unasked() -> None:
    far = Far()
    coalescer: Coalescer[int, int] = Coalescer(far.send, lambda _: 1, most=2)
    tasks = await asking(coalescer, range(4))
    assert far.asked == [[0, 1]]

    await far.answer(0)
    await far.answer(1)
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3]
