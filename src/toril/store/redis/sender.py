"""Sending adds: in batches, and safely again when an answer was lost on its way."""

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
from toril.store.values import Added, NewJob

# Seconds that an add is tried for when the server does not answer, and the pauses between tries.
_PATIENCE = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Refused(Exception):
    """An atomic add was refused; holds the number for each job, 0 for those that were not at fault."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(numbers)
        self.numbers = numbers


class Sender:
    """One producer on one queue. It has one call under way at a time, so one receipt is enough for it."""

    def __init__(
        self, connection: Connection, queue: QueueRef, now_ms: Callable[[], int], *, receipts: bool
    ) -> None:
        self._connection = connection
        self._queue = queue
        self._now_ms = now_ms
        self._producer = uuid.uuid4().hex if receipts else ""
        self._requests = 0
        self._turn = asyncio.Lock()

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
        packed, release = pack(jobs), pack(list(parents)) if parents else b""
        async with self._turn:
            self._requests += 1
            request, again, now = str(self._requests), "0", self._now_ms()
            loop = asyncio.get_running_loop()
            deadline, pause = loop.time() + _PATIENCE, _FIRST_PAUSE
            while True:
                try:
                    return await self._connection.run(
                        "add", self._queue, packed, self._producer, request, again, atomic, release, now
                    )
                except StoreUnavailable:
                    # Without a receipt it can't be known whether the jobs were added.
                    if not self._producer or loop.time() + pause > deadline:
                        raise
                await asyncio.sleep(pause)
                again, pause = "1", min(2 * pause, _LONGEST_PAUSE)

    def _answer(self, job: NewJob, answer: Any) -> Added | JobError:
        if isinstance(answer, bytes):
            return Added(answer.decode())
        if isinstance(answer, int):
            return refusal_of(answer, job, self._queue)
        id = answer[0].decode()
        return Added(id, JobRecord(queue_of(job, self._queue), id, fields_of(answer[1])))


def queue_of(job: NewJob, queue: QueueRef) -> QueueRef:
    """The queue a job is added to; those of a tree may name another one than that of the call."""
    if isinstance(job.more, dict) and "base" in job.more:
        prefix, _, name = job.more["base"][:-1].rpartition(":")
        return QueueRef(prefix, name)
    return queue


def refusal_of(number: int, job: NewJob, queue: QueueRef) -> JobError:
    """Why a job was not added."""
    return refusal(number, "add", queue_of(job, queue), str(job.id or job.name))
