"""Natural batching: calls made while one is under way ride together in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from toril.errors import StoreUnavailable

Q = TypeVar("Q")
A = TypeVar("A")


class Coalescer(Generic[Q, A]):
    """Sends questions in batches: one batch at a time, no timers, no wait when idle.

    Args:
        send: Asks many at once; answers in order, an exception for each that was refused.
        weigh: Bytes of a question, so that large ones don't pile up in one batch.
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
        most: int = 100,
        heaviest: int = 1_000_000,
        slow: float = 1.0,
    ) -> None:
        self._send = send
        self._weigh = weigh
        self._most = most
        self._heaviest = heaviest
        self._slow = slow
        self._queue: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._sender: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Ask one question; it shares its way with others that are asked meanwhile."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._queue.append((question, answer))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_all())
        return await answer

    async def drain(self) -> None:
        """Wait until everything asked so far is answered."""
        if self._sender is not None:
            await asyncio.wait([self._sender])

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch, start = self._next_batch(), loop.time()
            try:
                answers = await self._send([question for question, _ in batch])
            except BaseException as error:
                if isinstance(error, StoreUnavailable) and loop.time() - start >= self._slow:
                    # Those behind this batch have waited as well; batch by batch they would fail later still.
                    batch.extend(self._queue)
                    self._queue.clear()
                self._fail(batch, error)
                if not isinstance(error, Exception):
                    raise
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    _resolve(future, answer)

    def _next_batch(self) -> list[tuple[Q, asyncio.Future[A]]]:
        batch: list[tuple[Q, asyncio.Future[A]]] = []
        weight = 0
        while self._queue and len(batch) < self._most and weight < self._heaviest:
            question = self._queue.popleft()
            # Who asked may have gone; what was not sent yet need not be.
            if not question[1].done():
                batch.append(question)
                weight += self._weigh(question[0])
        return batch

    def _fail(self, batch: list[tuple[Q, asyncio.Future[A]]], error: BaseException) -> None:
        """Nobody waits for ever: when the loop goes down, everyone hears of it."""
        if isinstance(error, Exception):
            for _, future in batch:
                _resolve(future, error)
            return
        for _, future in [*batch, *self._queue]:
            future.cancel()
        self._queue.clear()


def _resolve(future: asyncio.Future[A], answer: A | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
