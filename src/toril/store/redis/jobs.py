"""The store's jobs: adding, taking, settling. What changes or reads single jobs is in `changes`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

from toril.errors import JobError
from toril.model.names import QueueRef
from toril.store.redis.changes import JobChanges
from toril.store.redis.coalesce import Coalescer
from toril.store.redis.codec import pack, pack_claim, read_taken, refusal
from toril.store.redis.connection import Connection
from toril.store.redis.sender import MOST_UNDER_WAY, Refused, Sender, refusal_of
from toril.store.redis.turns import Turns
from toril.store.values import Added, Claim, NewJob, Settled, Settlement, Taken

# Jobs in one call of the add script: enough to share its cost, and below 3 ms of the server's time.
_JOBS_A_CALL = 100
# A call is closed when its jobs weigh so many bytes, so that large ones don't hold the server up.
_HEAVIEST_CALL = 1_000_000

# Settlements whose script answers with a number of its own.
_VERBS = {
    "finish": "finish",
    "retry": "retry",
    "delay": "delay",
    "wait": "give back",
    "children": "await children",
}


def _left_for_later(_answers: Sequence[Added | JobError]) -> None:
    """Who waits for all answers need not hear of some."""


class RedisJobs(JobChanges):
    """Jobs on Redis or Valkey."""

    def __init__(self, connection: Connection, now_ms: Callable[[], int], *, receipts: bool) -> None:
        super().__init__(connection, now_ms)
        self._receipts = receipts
        self._lanes = MOST_UNDER_WAY if connection.in_order else 1
        self._adders: dict[QueueRef, Coalescer[NewJob, Added]] = {}
        self._senders: dict[QueueRef, Sender] = {}
        self._turns = Turns(connection)

    async def add(self, queue: QueueRef, job: NewJob) -> Added:
        """Add a job; adds of the same moment share a call."""
        adder = self._adders.get(queue)
        if adder is None:
            send = self._sender(queue).send
            adder = self._adders[queue] = Coalescer(send, _weight, lanes=self._lanes)
        return await adder.ask(job)

    async def add_many(
        self,
        queue: QueueRef,
        jobs: Sequence[NewJob],
        *,
        atomic: bool,
        heard: Callable[[Sequence[Added | JobError]], None] = _left_for_later,
    ) -> list[Added | JobError]:
        """Add jobs in order, each with its own answer; all or none of them if ``atomic``.

        Args:
            heard: Gets the answers of each call as they come, while the server works on the next one.
        """
        sender = self._sender(queue)
        if atomic:
            answers = await self._add_all_or_none(sender, queue, jobs)
            heard(answers)
            return answers
        return await _in_turn((sender.send(chunk) for chunk in _chunks(jobs)), self._lanes, heard)

    async def add_tree(
        self, queue: QueueRef, jobs: Sequence[NewJob], parents: Sequence[str], *, strict: bool
    ) -> list[Added | JobError]:
        """Add jobs of several queues at once, parents before their children; all or none if ``strict``."""
        sender = self._sender(queue)
        if strict:
            return await self._add_all_or_none(sender, queue, jobs, parents)
        return await sender.send(jobs, parents)

    def _sender(self, queue: QueueRef) -> Sender:
        sender = self._senders.get(queue)
        if sender is None:
            sender = self._senders[queue] = Sender(
                self._connection, queue, self._now_ms, receipts=self._receipts
            )
        return sender

    async def _add_all_or_none(
        self, sender: Sender, queue: QueueRef, jobs: Sequence[NewJob], parents: Sequence[str] = ()
    ) -> list[Added | JobError]:
        try:
            return await sender.send_atomic(jobs, parents)
        except Refused as refused:
            job, number = next((job, n) for job, n in zip(jobs, refused.numbers, strict=True) if n)
            raise refusal_of(number, job, queue) from None

    async def take(self, queue: QueueRef, claim: Claim, *, again: bool = False) -> Taken:
        """Take jobs that are ready; ``again`` after a lost answer finds those that were taken already."""
        settled = await self.settle(queue, (), claim, at_ms=self._now_ms(), again=again)
        return settled.taken

    async def settle(
        self,
        queue: QueueRef,
        settlements: Sequence[Settlement],
        claim: Claim | None,
        *,
        at_ms: int,
        again: bool = False,
    ) -> Settled:
        """Settle running jobs, then take new ones, in one call.

        Args:
            at_ms: The time this call stands for; the same one when it is repeated.
            again: The answer to this very call was lost.
        """
        if claim is not None and len(settlements) == 1 and not again:
            turned = await self._turns.take(queue, settlements[0], claim, at_ms)
            if turned is not None:
                return Settled([0], turned)
        terms = pack_claim(claim) if claim else b""
        reply = await self._connection.run(
            "settle", queue, pack(settlements), terms, at_ms, "1" if again else "0"
        )
        return _read_settled(queue, settlements, claim, reply)

    async def drain(self) -> None:
        """Wait until the adds under way are answered."""
        await asyncio.gather(*(adder.drain() for adder in self._adders.values()), self.drain_reports())


def _weight(job: NewJob) -> int:
    return len(job.data) + len(job.opts)


async def _in_turn(
    calls: Iterable[Coroutine[Any, Any, list[Added | JobError]]],
    ahead: int,
    heard: Callable[[Sequence[Added | JobError]], None],
) -> list[Added | JobError]:
    """Answers of calls that go out one behind the other, ``ahead`` of them before the first is answered."""
    answers: list[Added | JobError] = []
    under_way: deque[asyncio.Task[list[Added | JobError]]] = deque()

    async def hear_first() -> None:
        first = await under_way.popleft()
        answers.extend(first)
        heard(first)

    try:
        for call in calls:
            under_way.append(asyncio.create_task(call))
            if len(under_way) == ahead:
                await hear_first()
        while under_way:
            await hear_first()
    finally:
        for call in under_way:
            call.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
    return answers


def _chunks(jobs: Sequence[NewJob]) -> Iterator[list[NewJob]]:
    chunk: list[NewJob] = []
    weight = 0
    for job in jobs:
        chunk.append(job)
        weight += _weight(job)
        if len(chunk) == _JOBS_A_CALL or weight >= _HEAVIEST_CALL:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def _read_settled(
    queue: QueueRef, settlements: Sequence[Settlement], claim: Claim | None, reply: Sequence[Any]
) -> Settled:
    numbers = reply[0] or [0] * len(settlements)
    answers = [
        _read_answer(number, settlement, queue)
        for settlement, number in zip(settlements, numbers, strict=True)
    ]
    taken = read_taken(queue, reply[1], claim.token) if claim and reply[1] else Taken()
    return Settled(answers, taken)


def _read_answer(answer: int | bytes, settlement: Settlement, queue: QueueRef) -> int | JobError:
    if isinstance(answer, bytes):
        text = f"job {settlement.id} of queue {queue.name} can't be settled: {answer.decode()}"
        return JobError(text, queue=queue.name, job_id=settlement.id)
    return answer if answer >= 0 else refusal(answer, _verb(settlement), queue, settlement.id)


def _verb(settlement: Settlement) -> str:
    return _VERBS[str(type(settlement).__struct_config__.tag)]
