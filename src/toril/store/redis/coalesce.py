"""Natural batching: calls made while one is under way ride together in the next.

Where order among callers allows it, a second batch goes out while the first is under way, so that the server
has work while its answers are read here. More follow only when whole batches wait, as they do on a slow link.
A question that finds nothing under way goes out at once, carried by who asks it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from toril.errors import StoreUnavailable

Q = TypeVar("Q")
A = TypeVar("A")

# A second batch costs the server a call more; so many questions are worth it.
_WORTH_A_CALL = 10


class Coalescer(Generic[Q, A]):
    """Sends questions in batches: no timers, no wait when idle.

    Args:
        send: Asks many at once; answers in order, an exception for each that was refused.
        weigh: Bytes of a question, so that large ones don't pile up in one batch.
        lanes: At most so many batches under way at a time.
        most: At most so many questions a batch.
        heaviest: A batch is closed when its questions weigh so many bytes.
        slow: When the store was unavailable for a batch that took so many seconds, all that is queued by then
            fails with it.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
        weigh: Callable[[Q], int],
        *,
        lanes: int = 1,
        most: int = 100,
        heaviest: int = 1_000_000,
        slow: float = 1.0,
    ) -> None:
        self._send = send
        self._weigh = weigh
        self._most_lanes = lanes
        self._most = most
        self._heaviest = heaviest
        self._slow = slow
        self._queue: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._under_way = 0
        # Whether a lane is about to look for questions, so that no other need be opened for them.
        self._looking = False
        self._turn = asyncio.Lock()
        # Whether nobody carries out a question of his own.
        self._none_alone = asyncio.Event()
        self._none_alone.set()

    async def ask(self, question: Q) -> A:
        """Ask one question; it shares its way with others that are asked meanwhile."""
        if not self._lanes and self._none_alone.is_set():
            return await self._ask_alone(question)
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._queue.append((question, answer))
        self._open_lane()
        return await answer

    async def _ask_alone(self, question: Q) -> A:
        self._none_alone.clear()
        try:
            [answer] = await self._answers([question])
        finally:
            self._none_alone.set()
            self._open_lane()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _open_lane(self) -> None:
        """One more lane, if what waits is worth it."""
        lanes = len(self._lanes) + (not self._none_alone.is_set())
        if self._looking or lanes >= self._most_lanes:
            return
        worth = (1, _WORTH_A_CALL)[self._under_way] if self._under_way < 2 else self._most
        if len(self._queue) >= worth:
            self._looking = True
            lane = asyncio.create_task(self._send_all())
            self._lanes.add(lane)
            lane.add_done_callback(self._lane_ended)

    async def drain(self) -> None:
        """Wait until everything asked so far is answered."""
        while self._lanes or not self._none_alone.is_set():
            await self._none_alone.wait()
            if self._lanes:
                await asyncio.wait(self._lanes)

    def _lane_ended(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        if lane.cancelled() or lane.exception() is not None:
            # The loop goes down; nobody waits for ever.
            self._looking = False
            for _, future in self._queue:
                future.cancel()
            self._queue.clear()
        elif self._queue:
            self._open_lane()

    async def _send_all(self) -> None:
        batch: list[tuple[Q, asyncio.Future[A]]] = []
        try:
            while batch := self._next_batch():
                await self._send_batch(batch)
        finally:
            for _, future in batch:
                future.cancel()

    async def _send_batch(self, batch: list[tuple[Q, asyncio.Future[A]]]) -> None:
        await self._hand_out(batch, await self._answers([question for question, _ in batch]))

    async def _answers(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        """Send a batch; an exception for each question when that is not possible."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        self._under_way += 1
        self._open_lane()
        try:
            return await self._send(questions)
        except Exception as error:
            if isinstance(error, StoreUnavailable) and loop.time() - start >= self._slow:
                # Those behind this batch have waited as well; batch by batch they would fail later still.
                for _, future in self._queue:
                    _resolve(future, error)
                self._queue.clear()
            return [error] * len(questions)
        finally:
            self._under_way -= 1

    async def _hand_out(
        self, batch: list[tuple[Q, asyncio.Future[A]]], answers: Sequence[A | Exception]
    ) -> None:
        """One batch after the other: what those who asked ask next goes out before others get their answers.

        Batches that are answered together, as a server does with those that came together, part here, and
        from then on the server works on one while the answers to the other are used.
        """
        async with self._turn:
            self._looking = True
            for (_, future), answer in zip(batch, answers, strict=True):
                _resolve(future, answer)
            await asyncio.sleep(0)

    def _next_batch(self) -> list[tuple[Q, asyncio.Future[A]]]:
        """What goes out next; nothing if nothing waits."""
        self._looking = False
        batch: list[tuple[Q, asyncio.Future[A]]] = []
        weight, most = 0, self._share()
        while self._queue and len(batch) < most and weight < self._heaviest:
            question = self._queue.popleft()
            # Who asked may have gone; what was not sent yet need not be.
            if not question[1].done():
                batch.append(question)
                weight += self._weigh(question[0])
        return batch

    def _share(self) -> int:
        """All that waits, or half of it when the other half can go along on a lane of its own."""
        waiting = len(self._queue)
        if self._under_way == 0 and self._most_lanes > 1 and waiting >= 2 * _WORTH_A_CALL:
            waiting = (waiting + 1) // 2
        return min(waiting, self._most)


def _resolve(future: asyncio.Future[A], answer: A | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
