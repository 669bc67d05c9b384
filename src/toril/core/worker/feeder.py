"""The feeder: settles what the slots have run and takes new jobs for all free slots, in the same call.

One call is under way at a time; what comes in meanwhile rides in the next one. While nothing is to be had,
a listener waits for word of jobs on a connection of its own.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from toril.core.worker.run import Settling
from toril.core.worker.settings import Settings
from toril.errors import StoreError
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.store.contract import Store
from toril.store.values import Claim, Finish, Settled, Taken

# Jobs in one call: enough to share its cost, and below 3 ms of the server's time.
_MOST_A_CALL = 50
# Bytes of results in one call, about; a server takes half a gigabyte at most.
_HEAVIEST_CALL = 1_000_000
# Pauses between tries when the server does not answer, in seconds; the longest is `run_retry_delay`.
_FIRST_PAUSE = 0.1


class Fed(Protocol):
    """Who gets the jobs that the feeder takes, and hears what became of those it settled."""

    def start_jobs(self, records: Sequence[JobRecord]) -> None: ...
    def settled(self, settling: Settling, answer: Any) -> None: ...
    def unsettled(self, settling: Settling) -> None: ...
    def report(self, error: BaseException) -> None: ...
    def drained(self) -> None: ...


@dataclass(slots=True)
class _Call:
    """One call to the store, kept until it is answered."""

    settlings: list[Settling]
    claim: Claim | None
    at_ms: int
    again: bool = False


class Feeder:
    """Takes and settles for one worker.

    Attributes:
        concurrency: How many jobs may be held at once; may be changed at any time.
        held: Jobs that were taken and whose settlement was not sent yet.
        taking: Whether jobs may be taken; false while the worker is paused or closing.
    """

    def __init__(self, store: Store, queue: QueueRef, settings: Settings, slots: Fed) -> None:
        self._store = store
        self._queue = queue
        self._settings = settings
        self._slots = slots
        self._done: deque[Settling] = deque()
        self._work = asyncio.Event()
        self._quiet = asyncio.Event()
        self._idle = asyncio.Event()
        self._id = str(uuid.uuid4())
        self._claims = 0
        self._hopeful = True
        self._limited = False
        self._limit_ends = 0.0
        self._was_busy = False
        self._next_due_ms = 0
        self._under_way = 0
        self.concurrency: int = settings.concurrency
        self.held: int = 0
        self.taking = True
        self._deaf: dict[str, float] = {}

    @property
    def deaf_since(self) -> float | None:
        """Monotonic time at which the server stopped answering, or ``None``."""
        return min(self._deaf.values(), default=None)

    @property
    def resting(self) -> bool:
        """Whether nothing is held or under way, and the queue had nothing to give when it was last asked."""
        busy = self.held or self._done or self._under_way
        return not (busy or self._hopeful or self._limited)

    def next_token(self) -> str:
        """A lock token that was not used before."""
        self._claims += 1
        return f"{self._id}:{self._claims - 1}"

    def settle(self, settling: Settling) -> None:
        """A slot is through with a job."""
        self._done.append(settling)
        self._work.set()

    def forget(self) -> None:
        """A job is not held any more, though it was not settled."""
        self.held -= 1
        self._work.set()

    def wake(self) -> None:
        """Something changed that the feeder should look at: more slots, taking allowed."""
        self._hopeful = True
        self._work.set()

    async def idle(self) -> None:
        """Wait until nothing is held and nothing is left to settle."""
        while self.held or self._done or self._under_way:
            self._idle.clear()
            await self._idle.wait()

    async def feed(self) -> None:
        """Settle and take until cancelled."""
        while True:
            call = self._next_call()
            if call is not None:
                await self._carry_out(call)
                continue
            self._work.clear()
            if not self.held:
                self._idle.set()
            await self._work.wait()

    def _next_call(self) -> _Call | None:
        settlings: list[Settling] = []
        weight = 0
        while self._done and len(settlings) < _MOST_A_CALL and weight < _HEAVIEST_CALL:
            settlings.append(self._done.popleft())
            weight += _weight(settlings[-1])
        self.held -= len(settlings)
        wanted = self._wanted() if settlings or self._hopeful else 0
        if any(settling.limited for settling in settlings):
            # The answer says for how long nothing is to be taken.
            wanted = 0
        if not settlings and not wanted:
            return None
        claim = None
        if wanted:
            claim = Claim(
                token=self.next_token(),
                lock_ms=self._settings.lock_ms,
                count=wanted,
                worker=self._settings.name,
                limit=self._settings.limit,
            )
        return _Call(settlings, claim, self._store.now_ms())

    def _wanted(self) -> int:
        if not self.taking or self._limited:
            return 0
        # With more slots than a call takes, two halves alternate: one runs while the other is settled.
        most = min(_MOST_A_CALL, max(1, (self.concurrency + 1) // 2))
        return max(min(self.concurrency - self.held, most), 0)

    async def _carry_out(self, call: _Call) -> None:
        self._under_way += 1
        try:
            settled = await self._ask(call)
        except Exception as error:
            await self._carry_out_apart(call, error)
            return
        finally:
            self._under_way -= 1
        if call.claim is not None:
            self._receive(settled.taken, call.claim)
        for settling, answer in zip(call.settlings, settled.answers, strict=True):
            settling.at_ms = call.at_ms
            if settling.limited:
                self._rest(answer if isinstance(answer, int) else 0)
            self._slots.settled(settling, answer)
        if call.claim is None and not self.taking:
            await self._pass_on()

    async def _pass_on(self) -> None:
        """What this worker gave up may be all that kept others from a job, if the queue has a limit."""
        with suppress(StoreError):
            await self._store.limits.wake(self._queue)

    async def _carry_out_apart(self, call: _Call, error: Exception) -> None:
        """One settlement can't even be sent; the others must not be lost with it."""
        if len(call.settlings) <= 1:
            self._slots.report(error)
            for settling in call.settlings:
                self._slots.unsettled(settling)
            return
        for settling in call.settlings:
            await self._carry_out(_Call([settling], None, call.at_ms, again=True))

    async def _ask(self, call: _Call) -> Settled:
        """Ask until there is an answer; the same call again is answered as if it were the first."""
        settlements = [settling.settlement for settling in call.settlings if settling.settlement is not None]
        pause = _FIRST_PAUSE
        while True:
            try:
                settled = await self._store.jobs.settle(
                    self._queue, settlements, call.claim, at_ms=call.at_ms, again=call.again
                )
            except StoreError as error:
                self._lost("calls", error)
                call.again = True
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._settings.run_retry_delay)
            else:
                self._deaf.pop("calls", None)
                return settled

    def _lost(self, who: str, error: StoreError) -> None:
        """The server does not answer; said once, until it answers again."""
        if not self._deaf:
            self._slots.report(error)
        self._deaf.setdefault(who, time.monotonic())

    def _receive(self, taken: Taken, claim: Claim) -> None:
        self.held += len(taken.jobs)
        self._next_due_ms = taken.next_due_ms
        if taken.jobs:
            self._was_busy = True
            self._slots.start_jobs(taken.jobs)
        # Fewer than asked for: there is no more to be had until word of it comes.
        self._hopeful = len(taken.jobs) == claim.count
        if taken.limited_ms > 0:
            self._rest(taken.limited_ms)
        elif not self._hopeful:
            self._quiet.set()
            if not taken.jobs and not taken.closed and self._was_busy:
                self._was_busy = False
                self._slots.drained()

    def _rest(self, limited_ms: int) -> None:
        """The queue is limited: take nothing until the limit is over, the last one if there are more."""
        self._limited = True
        loop = asyncio.get_running_loop()
        ends = loop.time() + min(limited_ms / 1000, self._settings.maximum_rate_limit_delay)
        self._limit_ends = max(self._limit_ends, ends)
        loop.call_at(ends, self._rested, ends)

    def _rested(self, ended: float) -> None:
        if ended >= self._limit_ends:
            self._limited = False
            self.wake()

    async def listen(self) -> None:
        """Wait for word of jobs whenever there are none, until cancelled."""
        waiter = self._store.waiter(self._queue, self._settings.name)
        pause = _FIRST_PAUSE
        try:
            while True:
                await self._quiet.wait()
                try:
                    await self._hear(waiter.wait)
                    self._deaf.pop("listening", None)
                    pause = _FIRST_PAUSE
                except StoreError as error:
                    self._lost("listening", error)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._settings.run_retry_delay)
                    await self._probe(waiter.wait)
                self._quiet.clear()
                self.wake()
        finally:
            self._deaf.pop("listening", None)
            await waiter.close()

    async def _probe(self, wait: Callable[[float], Any]) -> None:
        """Whether the server can be heard again. A word that comes is heeded: all is looked at anyway."""
        with suppress(StoreError):
            await wait(0)
            self._deaf.pop("listening", None)

    async def _hear(self, wait: Callable[[float], Any]) -> None:
        """Return as soon as a job may be had: at a word, at the time of a delayed job, or to look anyway."""
        due_ms = self._next_due_ms
        while True:
            timeout = self._settings.drain_delay
            if due_ms:
                timeout = (due_ms - self._store.now_ms()) / 1000
                if timeout <= 0:
                    return
            word = await wait(timeout)
            if not word or word <= self._store.now_ms():
                return
            due_ms = min(due_ms, word) if due_ms else word


def _weight(settling: Settling) -> int:
    settlement = settling.settlement
    return len(settlement.value) if isinstance(settlement, Finish) else 0
