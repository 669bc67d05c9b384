"""Sending adds: in batches, and safely again when an answer was lost on its way.

A call goes out by one of the queue's producers. Each has one call under way at a time, so one receipt is
enough for it; more producers than one let the server work on a batch while the answers to another are read.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from toril.errors import JobError, StoreUnavailable
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.store.redis.codec import fields_of, pack, refusal
from toril.store.redis.connection import Connection
from toril.store.redis.wire import Word
from toril.store.values import Added, NewJob

#: Calls of one queue under way at a time: enough for a slow link, and for a server that answers several
#: together and would have nothing to do while they are read; few enough that others get their turn.
MOST_UNDER_WAY = 12
# Jobs that one call of the plain script may carry: its stack bounds how many ids it can push at once.
_MOST_PLAIN = 1000
# Seconds that an add is tried for when the server does not answer, and the pauses between tries.
_PATIENCE = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Refused(Exception):
    """An atomic add was refused; holds the number for each job, 0 for those that were not at fault."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(numbers)
        self.numbers = numbers


class _Producer:
    """One that the server keeps a receipt for."""

    def __init__(self) -> None:
        self.id: str = uuid.uuid4().hex
        self.requests: int = 0


class Sender:
    """Sends the adds of one queue."""

    def __init__(
        self, connection: Connection, queue: QueueRef, now_ms: Callable[[], int], *, receipts: bool
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._now_ms = now_ms
        self._receipts = receipts
        self._turns = asyncio.Semaphore(MOST_UNDER_WAY)
        # The one that was used last comes first, so that few are used if few calls are under way.
        self._idle: list[_Producer] = []
        self._repeating = 0
        self._repeated = asyncio.Event()

    async def send(self, jobs: Sequence[NewJob], parents: Sequence[str] = ()) -> list[Added | JobError]:
        """Add jobs; each gets its own answer.

        Args:
            parents: Keys of parents to look at when all is added: those without open children are released.

        Raises:
            StoreUnavailable: No answer for some seconds; the jobs may or may not have been added.
        """
        reply = await self._ask(jobs, "0", parents)
        return [self._answer(job, answer) for job, answer in zip(jobs, reply, strict=True)]

    async def send_atomic(
        self, jobs: Sequence[NewJob], parents: Sequence[str] = ()
    ) -> list[Added | JobError]:
        """Add all of the jobs or none; see ``send``.

        Raises:
            Refused: One of them can't be added; nothing was written.
            StoreUnavailable: No answer for some seconds.
        """
        reply = await self._ask(jobs, "1", parents)
        if reply and reply[0] == b"refused":
            raise Refused(reply[1])
        return [self._answer(job, answer) for job, answer in zip(jobs, reply, strict=True)]

    async def _ask(self, jobs: Sequence[NewJob], atomic: str, parents: Sequence[str]) -> Sequence[Any]:
        packed = pack(jobs)
        if not parents and len(jobs) <= _MOST_PLAIN and all(map(_is_plain, jobs)):
            # None of them can be refused, so they are all or none in any case.
            return await self._take_turn("add_plain", packed)
        release = pack(list(parents)) if parents else b""
        return await self._take_turn("add", packed, atomic, release, self._now_ms())

    async def _take_turn(self, script: str, packed: bytes, *terms: Word) -> Any:
        async with self._turns:
            while self._repeating:
                # What was asked before is not there yet, and must not be overtaken.
                await self._repeated.wait()
            producer = self._idle.pop() if self._idle else _Producer()
            producer.requests += 1
            receipt = producer.id if self._receipts else ""
            answer = await self._insist(script, (packed, receipt, str(producer.requests)), terms)
            # One whose call was given up may still have it under way, and is not used again.
            self._idle.append(producer)
            return answer

    async def _insist(self, script: str, request: tuple[Word, ...], terms: tuple[Word, ...]) -> Any:
        """Ask until there is an answer, or for some seconds; with a receipt nothing is added twice."""
        try:
            return await self._connection.run(script, self._queue, *request, "0", *terms)
        except StoreUnavailable:
            # Without a receipt it can't be known whether the jobs were added.
            if not self._receipts:
                raise
        self._repeating += 1
        self._repeated.clear()
        try:
            return await self._repeat(script, request, terms)
        finally:
            self._repeating -= 1
            if not self._repeating:
                self._repeated.set()

    async def _repeat(self, script: str, request: tuple[Word, ...], terms: tuple[Word, ...]) -> Any:
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + _PATIENCE, _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                return await self._connection.run(script, self._queue, *request, "1", *terms)
            except StoreUnavailable:
                if loop.time() + pause > deadline:
                    raise

    def _answer(self, job: NewJob, answer: Any) -> Added | JobError:
        if isinstance(answer, bytes):
            return Added(answer.decode())
        if isinstance(answer, int):
            return refusal_of(answer, job, self._queue)
        id = answer[0].decode()
        return Added(id, JobRecord(queue_of(job, self._queue), id, fields_of(answer[1])))


def _is_plain(job: NewJob) -> bool:
    return not (job.more or job.id or job.delay_ms or job.priority or job.lifo)


def queue_of(job: NewJob, queue: QueueRef) -> QueueRef:
    """The queue a job is added to; those of a tree may name another one than that of the call."""
    if isinstance(job.more, dict) and "base" in job.more:
        prefix, _, name = job.more["base"][:-1].rpartition(":")
        return QueueRef(prefix, name)
    return queue


def refusal_of(number: int, job: NewJob, queue: QueueRef) -> JobError:
    """Why a job was not added."""
    return refusal(number, "add", queue_of(job, queue), str(job.id or job.name))
