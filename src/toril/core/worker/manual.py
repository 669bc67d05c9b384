"""Processing by hand: take a job, run or finish it, look after locks, without the worker's loop."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from toril.core.connection import Access, StoreLink
from toril.core.job import Job
from toril.core.linked import Linked
from toril.core.signals import Listener, Signals
from toril.core.worker.aging import Aging
from toril.core.worker.closing import Closing
from toril.core.worker.homes import Homes
from toril.core.worker.inject.depends import Depends
from toril.core.worker.inject.injector import Injector, Overrides
from toril.core.worker.isolation.main_module import refuse_while_loading
from toril.core.worker.lifecycle import Lifecycle
from toril.core.worker.queues import Queues, call_for, read_queues
from toril.core.worker.routes import Handlers, Wrapped, call_of
from toril.core.worker.run import Runner, Settling
from toril.core.worker.schedules import Schedules
from toril.core.worker.settings import Settings
from toril.core.worker.stalled import Rescue
from toril.core.worker.teller import EVENTS, Teller
from toril.errors import JobError, OptionError, UnknownBackoff
from toril.model.checks import check_items, check_kind, check_text
from toril.model.duration import Duration, to_ms
from toril.model.names import QueueRef, check_prefix
from toril.store.contract import Store, Waiter
from toril.store.values import AwaitChildren, Claim, Finish, GiveBack, RetryNow, Taken


@dataclass(slots=True)
class Batch:
    """What a fetch brought, and why it brought no more.

    Attributes:
        jobs: The jobs that were taken; at most one here.
        limited_ms: The queue's rate limit lets no job start for so long.
        next_due_ms: When the next delayed job is due, in ms since the epoch; 0 if none is known.
        closed: The queue is paused or at its global concurrency.
    """

    jobs: list[Job] = field(default_factory=list[Job])
    limited_ms: int = 0
    next_due_ms: int = 0
    closed: bool = False


class ManualWorker(Linked):
    """The part of a worker that does one thing at a time, when it is told to."""

    def __init__(
        self,
        queue: Queues,
        handler: Handlers | None,
        *,
        by_queue: Mapping[str, Handlers] | None,
        url: str | None,
        store: Store | None,
        prefix: str,
        options: Mapping[str, Any],
    ) -> None:
        self._weights = read_queues(queue)
        self._refs = [QueueRef(check_prefix(prefix), name) for name in self._weights]
        self.ref: QueueRef = self._refs[0]
        self.id: str = str(uuid.uuid4())
        self._settings = Settings.read(options)
        if self._settings.policy == "strict" and len(set(self._weights.values())) > 1:
            raise OptionError("policy", "strict", "goes by the order of the queues; give them no weights")
        self._patience = Closing()
        self._handlers = handler
        self._by_queue = by_queue
        self._equip({})
        self._link = StoreLink(self.ref, url, store, self._refs[1:])
        self._signals = Signals(EVENTS)
        self._teller = Teller(self.ref, self._signals)
        self._aging = Aging(self._settings.priority_share)
        self._takes = 0
        self._limited_until_ms = 0
        self._waiter: Waiter | None = None
        self._waiting = asyncio.Lock()

    @property
    def queue_name(self) -> str:
        """Name of the queue it works for; the first one of several."""
        return self.ref.name

    @property
    def queues(self) -> dict[str, float]:
        """The queues it works for, in order, with their weights."""
        return self._weights.copy()

    async def _open(self) -> Access:
        if len(self._refs) > 1:
            names = ", ".join(self._weights)
            raise TypeError(f"by hand, a worker processes one queue; this one works for {names}")
        return await super()._open()

    def on(self, event: str, listener: Listener) -> None:
        """Call ``listener``, plain or ``async``, whenever the event happens. It can never harm a job.

        Events: ``ready()``, ``active(job)``, ``progress(job, progress)``, ``completed(job, result)``,
        ``failed(job, error, previous_state)``, ``stalled(job_id)``, ``drained()``, ``paused()``,
        ``resumed()``, ``error(error)``, ``closing()``, ``closed()``, and ``scaled(slots, before)`` when the
        worker has changed its number of slots. Of several queues, ``job.queue_name`` is the one meant.

        Raises:
            OptionError: There is no such event.
        """
        self._signals.add(event, listener)

    def off(self, event: str, listener: Listener) -> None:
        """Don't call this listener any more."""
        self._signals.remove(event, listener)

    def _equip(self, overrides: Overrides) -> None:
        """Plan what is called with jobs, and what is made for it."""
        settings, injector = self._settings, Injector(self.report, overrides)
        homes = Homes(settings, injector)
        call = call_for(self._weights, self._handlers, self._by_queue, partial(call_of, homes))
        homes.check_names()
        self._call = Wrapped(call, settings.middleware) if call and settings.middleware else call
        self._homes = homes
        self._injector = injector
        self._life = Lifecycle(
            injector, settings.on_start, settings.on_stop, self.report, self._patience.see_out
        )

    def override(self, make: Callable[..., Any], fake: Callable[..., Any]) -> None:
        """Have a resource made by another function, for tests; before the worker starts.

        Args:
            make: The function that handlers name in ``Depends(make)``.
            fake: What is called instead; it may be whatever ``make`` may be, with parameters of its own.

        Raises:
            OptionError: No handler of this worker names ``make``, or ``fake`` can't make anything.
            RuntimeError: The resources are made.
        """
        if self._injector.is_open:
            raise RuntimeError("the resources of this worker are made; override before it starts")
        self._injector.check_known(make)
        Depends(fake)
        self._equip({**self._injector.overrides, make: fake})

    def _runner(self, access: Access) -> Runner:
        refuse_while_loading()
        return Runner(self._call, self._settings, access.store)

    def _claim(self, token: str | None) -> Claim:
        if token is None:
            token = f"{self.id}:{self._takes}"
            self._takes += 1
        aged = self._aging.of(1)
        self._aging.took(1, aged)
        return Claim(
            token=check_text(token, "token"),
            lock_ms=self._settings.lock_ms,
            worker=self._settings.name,
            limit=self._settings.limit,
            aged=aged,
            after_success=True,
        )

    def _schedules(self, access: Access) -> Schedules:
        return Schedules(access.store, self.ref, self._settings.repeat_strategy, self.report)

    def _rescue(self, access: Access) -> Rescue:
        return Rescue(access.store, self._settings, self._schedules(access), self._teller)

    async def _batch(self, access: Access, taken: Taken) -> Batch:
        """The jobs that were taken; those of schedulers get their successors now."""
        jobs = [Job.of(record, self._link) for record in taken.jobs]
        for job in jobs:
            if b"rjk" in job.fields:
                await self._schedules(access).advance_patiently(job)
        return Batch(jobs, taken.limited_ms, taken.next_due_ms, taken.closed)

    async def get_next_job(self, token: str | None = None, *, block: bool = True) -> Job | None:
        """Take the next job; nobody renews its lock but you (see ``extend_locks``).

        Args:
            token: Lock token; ``None`` for one that was not used before.
            block: Wait up to ``drain_delay`` for a job, or for the end of the queue's rate limit.

        Returns:
            The job, or ``None`` if there is none to be had.
        """
        access = await self._open()
        job = await self._take(access, token)
        if job is None and block:
            await self._wait(access)
            job = await self._take(access, token)
        return job

    async def _wait(self, access: Access) -> None:
        """Wait for word of a job; who may take none must leave the word, which is for one worker only."""
        limited = (self._limited_until_ms - access.store.now_ms()) / 1000
        if limited > 0:
            await asyncio.sleep(min(limited, self._settings.drain_delay))
            return
        if self._waiter is None:
            self._waiter = access.store.waiter(self.ref, self._settings.name)
        async with self._waiting:
            await self._waiter.wait(self._settings.drain_delay)

    async def _take(self, access: Access, token: str | None) -> Job | None:
        if access.store.now_ms() < self._limited_until_ms:
            return None
        batch = await self._batch(access, await access.store.jobs.take(self.ref, self._claim(token)))
        self._heed(access, batch)
        return batch.jobs[0] if batch.jobs else None

    def _heed(self, access: Access, batch: Batch) -> None:
        """Take nothing as long as the queue's rate limit lasts, if there is word of it."""
        if batch.limited_ms:
            self._limited_until_ms = access.store.now_ms() + batch.limited_ms

    async def complete(
        self, job: Job, result: Any = None, *, token: str | None = None, fetch_next: bool = False
    ) -> Batch:
        """The job is done.

        Args:
            result: Any JSON value.
            token: Lock token; ``None`` for the one the job was taken with.
            fetch_next: Take the next job in the same step, with the same token.

        Raises:
            LockLost: The job is not ours any more.
            PendingChildren: It has children that are not done.
            FailedChildren: A child failed that fails its parent.
        """
        held = _held(job, token)
        access = await self._open()
        return await self._settle(access, self._runner(access).completed(held, result), fetch_next)

    async def fail(
        self, job: Job, error: BaseException, *, token: str | None = None, fetch_next: bool = False
    ) -> Batch:
        """An attempt has failed; the job is tried again if it has attempts left.

        Raises:
            LockLost: The job is not ours any more.
            UnknownBackoff: This worker has no strategy for its type of backoff; the job stays as it is.
        """
        held = _held(job, token)
        check_kind(error, BaseException, "error", "must be an exception")
        access = await self._open()
        settling = await self._runner(access).after_error(held, error)
        if isinstance(settling.error, UnknownBackoff):
            raise settling.error
        return await self._settle(access, settling, fetch_next)

    async def process(self, job: Job, *, fetch_next: bool = False) -> Batch:
        """Run a job that was taken, and settle it, as the loop would; refusals go to ``on("error")``."""
        _checked(job)
        access = await self._open()
        await self._life.open()
        runner = self._runner(access)
        settling = await runner.run(job)
        while True:
            try:
                batch = await self._settle(access, settling, fetch_next)
                self._heed(access, batch)
                return batch
            except (JobError, UnknownBackoff) as error:
                self.report(error)
                if settling.error is not None and not isinstance(settling.settlement, AwaitChildren):
                    return Batch()
                # A success that is refused is a failure of the attempt. That of a job of others is refused as
                # well, and told; BullMQ does so, and replays of what it does count the errors.
                settling = await runner.after_error(job, error)

    async def _settle(self, access: Access, settling: Settling, fetch_next: bool) -> Batch:
        settlement, job = settling.settlement, settling.job
        if settlement is None:
            if isinstance(settling.error, UnknownBackoff):
                raise settling.error
            if not fetch_next:
                return Batch()
            taken = await access.store.jobs.take(self.ref, self._claim(job.token))
            return await self._batch(access, taken)
        # A job that is retried at once is what the next fetch finds; BullMQ leaves it to that fetch.
        leaves = isinstance(settlement, RetryNow) or settling.limited
        claim = self._claim(job.token) if fetch_next and not leaves else None
        settling.at_ms = access.store.now_ms()
        settled = await access.store.jobs.settle(self.ref, [settlement], claim, at_ms=settling.at_ms)
        if isinstance(settled.answers[0], JobError):
            raise settled.answers[0]
        if settled.answers[0] == 1 and isinstance(settlement, AwaitChildren):
            # There is no child to wait for, so the job goes on at once.
            settling.settlement = GiveBack(job.id, job.token)
            return await self._settle(access, settling, fetch_next)
        if settling.limited:
            self._limited_until_ms = settling.at_ms + settled.answers[0]
        self._teller.settled(settling)
        if settled.taken.jobs or isinstance(settlement, Finish):
            return await self._batch(access, settled.taken)
        return Batch()

    def report(self, error: BaseException) -> None:
        """Tell of an error that is nobody's job; logged when no one listens."""
        self._teller.report(error)

    async def check_stalled(self) -> list[str]:
        """Give back jobs whose worker is gone, unless another worker looked within ``stalled_interval``.

        Returns:
            Ids of the jobs that wait again.
        """
        return await self._rescue(await self._open()).jobs()

    async def check_schedulers(self) -> list[str]:
        """See to job schedulers whose next job is lost, unless a worker did within ``stalled_interval``.

        A job is lost when it is overdue for ``stalled_interval`` and neither waits nor runs: it was deleted
        by hand, say, or taken by a program that does not know of schedulers.

        Returns:
            Ids of the schedulers that have a job again.
        """
        return await self._rescue(await self._open()).schedulers()

    async def extend_locks(self, ids: Sequence[str], tokens: Sequence[str], duration: Duration) -> list[str]:
        """Hold several jobs for so long from now; answers the ids whose lock is lost."""
        held = [check_text(id, "ids") for id in check_items(ids, "ids")]
        by = [check_text(token, "tokens") for token in check_items(tokens, "tokens")]
        if len(held) != len(by):
            raise OptionError("tokens", tokens, f"must be as many as ids, {len(held)}")
        locks = list(zip(held, by, strict=True))
        return await (await self._open()).store.jobs.renew(self.ref, locks, to_ms(duration, "duration"))

    async def close(self) -> None:
        """Leave the server, and clean up behind resources."""
        # The children first: nothing of a handler goes on behind `on_stop`.
        await self._homes.close()
        await self._life.end(self)
        if self._waiter is not None:
            await self._waiter.close()
        await self._link.close()


def _checked(job: object) -> Job:
    return check_kind(job, Job, "job", "must be a Job, as get_next_job gives it")


def _held(job: Job, token: str | None) -> Job:
    """The job as its holder sees it."""
    job = _checked(job)
    if token is None:
        return job
    return Job(job.queue, job.id, job.fields, link=job.link, token=check_text(token, "token"))
