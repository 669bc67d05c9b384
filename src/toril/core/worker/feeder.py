"""The feeder: settles what the slots have run and takes new jobs for all free slots, in the same call.

What comes in while a call is under way rides in the next one. When that is half of all there is, it goes at
once: the server works on one half while the other is run. While most slots wait in handlers, small parts go
instead. A server that is far away gets more calls, each as large as a call may be. While nothing is to be
had, a listener with a connection of its own waits for word.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable
from contextlib import suppress

from toril.core.job import Job
from toril.core.worker.aging import Aging
from toril.core.worker.alarm import Alarm
from toril.core.worker.calls import MOST_A_CALL, Call, Fed, take_load
from toril.core.worker.courier import Courier
from toril.core.worker.listener import Listener
from toril.core.worker.pool import Pool
from toril.core.worker.run import Settling
from toril.core.worker.settings import Settings
from toril.errors import StoreError
from toril.model.names import QueueRef
from toril.store.contract import Store
from toril.store.values import Claim, Taken


class Feeder:
    """Takes and settles the jobs of one queue for a worker.

    Args:
        slots: Who gets the jobs.
        pool: Says how many may be taken.

    Attributes:
        owner: What its lock tokens begin with.
        queue: The queue.
        held: Jobs that were taken and whose settlement was not sent yet.
        asked: Jobs that the calls under way ask for.
        appetite: How many jobs the next call may well find, from what the last ones found.
        taking: Whether jobs may be taken; false while the worker is paused or closing.
        quiet: Set while there was nothing to be had when that was last looked at.
        due_ms: When the next delayed job is due, as far as is known; 0 if there is none.
    """

    def __init__(self, store: Store, queue: QueueRef, settings: Settings, slots: Fed, pool: Pool) -> None:
        self._store = store
        self.queue: QueueRef = queue
        self._settings = settings
        self._slots = slots
        self._pool = pool
        self._aging = Aging(settings.priority_share) if settings.priority_share else None
        self._done: deque[Settling] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        # Who cancels a job sees by its lock that a worker of toril has it, and which one.
        self.owner: str = f"toril-{secrets.token_hex(10)}"
        self._claims = 0
        self._hopeful = True
        self._limited = False
        self._respite = Alarm(self._rested)
        self._was_busy = False
        self._alarm = Alarm(self._alarmed)
        self._words = 0
        self._under_way = 0
        # Jobs whose settlement is under way.
        self._sent = 0
        self._courier = Courier(store, queue, settings.run_retry_delay, self._lost)
        # Calls that whoever carried them had to leave, and those that one had to be parted into.
        self._left: deque[Call] = deque()
        self._beside: set[asyncio.Task[None]] = set()
        self.held: int = 0
        self.asked: int = 0
        self.appetite: int = MOST_A_CALL
        self.taking = True
        self.quiet: asyncio.Event = asyncio.Event()
        self.due_ms: int = 0

    @property
    def deaf_since(self) -> float | None:
        """Monotonic time at which the server stopped answering, or ``None``."""
        return self._courier.deaf_since

    @property
    def unsettled(self) -> int:
        """Jobs that were taken and whose settlement was not answered yet."""
        return self.held + self._sent

    @property
    def resting(self) -> bool:
        """Whether nothing is held or under way, and the queue had nothing to give when it was last asked."""
        busy = self.held or self._done or self._under_way
        return not (busy or self._hopeful or self._limited)

    @property
    def hungry(self) -> bool:
        """Whether jobs would be taken, and there may be some."""
        return self._hopeful and self.taking and not self._limited and not self._courier.is_cut_off

    def next_token(self) -> str:
        """A lock token that was not used before."""
        self._claims += 1
        return f"{self.owner}:{self._claims - 1}"

    def settle(self, settling: Settling) -> None:
        """A job has come to its end."""
        self.done(settling)
        self._look_at_done()

    def done(self, settling: Settling) -> None:
        """A slot is through with a job; what is to be done about that, it hears by ``go_on``."""
        self._done.append(settling)
        if settling.limited:
            # Its answer says for how long nothing is to be taken.
            self._limited = True

    def go_on(self, _job: Job) -> Awaitable[None] | None:
        """What a slot shall do between two jobs, if anything.

        Who ends the last job that is held carries the call itself: nobody else has anything to add to it, and
        to wake the feeder for it would take longer. With no job to come, there is nothing to hurry for.
        """
        is_last = self.taking and not self._under_way and len(self._done) == self.held
        if is_last and (call := self._next_call()):
            return self._carry(call)
        self._look_at_done()
        return None

    async def _carry(self, call: Call) -> None:
        try:
            await self._carry_out(call)
        except Exception as error:
            # The slot is not to blame.
            self._slots.report(error)
        finally:
            if self._done or not self.held or self._wanted():
                self._work.set()

    def _look_at_done(self) -> None:
        """With a call under way, what is done waits for its answer, unless that is enough for another one."""
        if not self._under_way:
            self._work.set()
        elif self._is_enough():
            self._call_beside()

    def forget(self) -> None:
        """A job is not held any more, though it was not settled."""
        self.held -= 1
        self.wake()
        self._pool.changed()

    def wake(self) -> None:
        """Something changed that the feeder should look at: more slots, taking allowed, word of a job."""
        self._hopeful = True
        self._words += 1
        self._work.set()

    def look(self) -> None:
        """There may be slots to take jobs for."""
        self._work.set()

    async def idle(self) -> None:
        """Wait until nothing is held and nothing is left to settle."""
        while self.held or self._done or self._under_way:
            self._idle.clear()
            await self._idle.wait()

    async def feed(self) -> None:
        """Settle and take until cancelled."""
        try:
            await self._feed()
        except asyncio.CancelledError:
            for task in self._beside:
                task.cancel()
            self.expect(0)
            self._respite.stop()
            raise

    async def _feed(self) -> None:
        while True:
            # Beside another one a call leaves only when it is full; what is less goes when that is answered.
            call = self._left.popleft() if self._left else self._next_call() if self._may_call() else None
            if call is not None:
                await self._carry_out(call)
                continue
            self._work.clear()
            if not self.held:
                self._idle.set()
            await self._work.wait()

    def all_started(self) -> None:
        """Slots have got to all jobs. If others are free, their call need not wait until some are settled."""
        if self._under_way:
            self._call_beside()

    def _may_call(self) -> bool:
        return not self._under_way or (self._under_way < self._courier.pace.room and self._is_full())

    def _call_beside(self) -> None:
        """Don't wait for the answers to calls under way, as long as there is room for more."""
        if self._may_call() and (call := self._next_call()):
            task = asyncio.create_task(self._carry_out(call))
            self._beside.add(task)
            task.add_done_callback(self._called_beside)

    def _called_beside(self, task: asyncio.Task[None]) -> None:
        self._beside.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._slots.report(error)
        self._work.set()

    def _next_call(self) -> Call | None:
        settlings = take_load(self._done, self._portion())
        if settlings:
            self.held -= len(settlings)
            # What is given up may be all that kept the queue from letting another job start.
            self._hopeful = True
            self._words += 1
        wanted = self._wanted()
        if not settlings and not wanted:
            return None
        claim = self._claim(wanted) if wanted else None
        call = Call(settlings, claim, self._store.now_ms(), self._words)
        self._begin(call)
        if settlings and self._pool.shared:
            self._pool.changed()
        return call

    def _begin(self, call: Call) -> None:
        self._under_way += 1
        self._sent += len(call.settlings)
        if call.claim:
            self.asked += call.claim.count

    def _end(self, call: Call) -> None:
        self._under_way -= 1
        self._sent -= len(call.settlings)
        if call.claim:
            self.asked -= call.claim.count
        if any(settling.limited for settling in call.settlings):
            self._rest(0)

    def _wanted(self) -> int:
        may_take = self._hopeful and self.taking and not self._limited
        return min(self._pool.room(self), self._pool.share) if may_take else 0

    def _is_full(self) -> bool:
        """Whether a call would carry as many jobs as it may, there or back."""
        return self._is_enough() or self._has_room()

    def _is_enough(self) -> bool:
        done = len(self._done)
        return done >= self._pool.share or (done >= self._pool.part and self._slots_wait())

    def _portion(self) -> int:
        """How many jobs a call settles at most: those that wait for one answer end together again."""
        return self._pool.part if len(self._done) < self._pool.share and self._slots_wait() else MOST_A_CALL

    def _slots_wait(self) -> bool:
        """Whether most slots are in handlers, and a near server has time for calls that bring them jobs."""
        return self.taking and 2 * self._slots.running > self._pool.slots and self._courier.pace.is_near

    def _has_room(self) -> bool:
        """Whether slots for a whole call are free, and really are: what is there was got to by a slot."""
        return not self._slots.behind and self._wanted() >= self._pool.share

    def _claim(self, count: int) -> Claim:
        if self._pool.shared:
            self._pool.asks(self, count)
        return Claim(
            token=self.next_token(),
            lock_ms=self._settings.lock_ms,
            count=count,
            worker=self._settings.name,
            limit=self._settings.limit,
            aged=self._aging.of(count) if self._aging else 0,
        )

    async def _carry_out(self, call: Call) -> None:
        try:
            settled = await self._courier.take(call)
        except asyncio.CancelledError:
            # The carrier was meant, not the call: that may have been made, and its answer is to be had.
            call.again = True
            self._left.append(call)
            self._work.set()
            raise
        except Exception as error:
            self._end(call)
            self._part(call, error)
            return
        self._end(call)
        if call.claim is not None:
            self._receive(settled.taken, call.claim, call.words)
        for settling, answer in zip(call.settlings, settled.answers, strict=True):
            settling.at_ms = call.at_ms
            if settling.limited and isinstance(answer, int):
                self._rest(answer)
            self._slots.settled(settling, answer)
        if call.claim is None and not self.taking:
            await self._pass_on()

    async def _pass_on(self, *, a_word: bool = False) -> None:
        """Other workers may take what this one can't.

        What it gave up may be all that kept them from a job, if the queue has a limit; and a word of a job
        is for one worker only.
        """
        with suppress(StoreError):
            await self._store.limits.wake(self.queue, always=a_word)

    def _part(self, call: Call, error: Exception) -> None:
        """One settlement can't even be sent; the others must not be lost with it."""
        if len(call.settlings) <= 1:
            self._slots.report(error)
            for settling in call.settlings:
                self._slots.unsettled(settling)
            return
        for settling in call.settlings:
            alone = Call([settling], None, call.at_ms, again=True)
            self._begin(alone)
            self._left.append(alone)
        self._work.set()

    def _lost(self, error: StoreError, is_news: bool) -> None:
        """The server does not answer; said once, until it answers again."""
        if is_news:
            self._slots.report(error)
        self._pool.changed()

    def _receive(self, taken: Taken, claim: Claim, words: int) -> None:
        got = len(taken.jobs)
        self.held += got
        if taken.next_due_ms or self.due_ms:
            self.expect(taken.next_due_ms)
        if taken.jobs:
            self._was_busy = True
            self._slots.start_jobs(taken.jobs)
        # Fewer than asked for: there is no more to be had until word of it comes, if none has come meanwhile.
        enough = got == claim.count or taken.more
        self._hopeful = enough or words != self._words
        self._learn(claim, got, enough=enough)
        if taken.limited_ms > 0:
            self._rest(taken.limited_ms)
        elif not self._hopeful:
            self.quiet.set()
            if not taken.jobs and not taken.closed and self._was_busy:
                self._was_busy = False
                self._slots.drained()

    def _learn(self, claim: Claim, got: int, *, enough: bool) -> None:
        """What an answer means for the next calls, and for others that share the slots."""
        self.appetite = max(self.appetite, 2 * got) if enough else max(got, 1)
        if self._aging is not None:
            self._aging.took(got, claim.aged)
        if got < claim.count and self._pool.shared:
            self._pool.missed(self)

    def expect(self, due_ms: int) -> None:
        """Look when the next delayed job is due, by a timer of our own.

        An idle server looks only ten times a second whether a wait is over. The call that takes the job makes
        it look, which ends the listener's wait as well.
        """
        self.due_ms = due_ms
        if due_ms:
            self._alarm.set(max(due_ms - self._store.now_ms(), 1) / 1000)
        else:
            self._alarm.stop()

    def _alarmed(self) -> None:
        self.due_ms = 0
        self.quiet.clear()
        self.wake()

    def _rest(self, limited_ms: int) -> None:
        """The queue is limited: take nothing until the limit is over, the last one if there are more."""
        self._limited = True
        self._respite.set_later(min(limited_ms / 1000, self._settings.maximum_rate_limit_delay))
        self._pool.changed()

    def _rested(self) -> None:
        self._limited = False
        self.wake()

    async def listen(self) -> None:
        """Wait for word of jobs whenever there are none, until cancelled."""
        await Listener(self._store, self._settings, self._courier, self).listen()

    async def hear(self) -> None:
        """A job may be had. A word is for one worker only: one that has no room for a job passes it on."""
        self.quiet.clear()
        self.wake()
        if not self._pool.room(self):
            await self._pass_on(a_word=True)
