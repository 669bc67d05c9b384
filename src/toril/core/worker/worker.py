"""The worker: runs the jobs of its queues in its slots."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Unpack

from toril.core.connection import Access
from toril.core.job import Job
from toril.core.worker.closing import all_idle
from toril.core.worker.duties import Duties
from toril.core.worker.feeder import Feeder
from toril.core.worker.lane import Lane, Means
from toril.core.worker.locks import LockKeeper
from toril.core.worker.manual import ManualWorker
from toril.core.worker.pool import Pool
from toril.core.worker.queues import Queues
from toril.core.worker.routes import Handlers
from toril.core.worker.scaling import Scaler, longest_wait
from toril.core.worker.settings import WorkerOptions
from toril.core.worker.shutdown import closing_on_signals
from toril.core.worker.slots import LAST_WORDS, Slots
from toril.core.worker.summons import CancelHearer
from toril.core.worker.vitals import Vitals
from toril.errors import StoreUnavailable
from toril.model.autoscale import Autoscale
from toril.model.checks import check_bool
from toril.model.duration import Duration, to_ms
from toril.model.names import QueueRef
from toril.model.worker_status import WorkerStatus
from toril.store.contract import Store
from toril.store.opening import wall_clock_ms


class Worker(ManualWorker):
    """Runs the jobs of a queue, or of several. It can be made anywhere; it connects when it is started.

    Args:
        queue: Name of the queue; or those of several, as a list of names or of names with their weights
            (``[("premium", 5), ("free", 1)]``), or as a mapping. They share the slots by weight, or as
            ``policy`` says.
        handler: Called with each job: ``async def`` on the event loop, ``def`` in a thread. What it returns
            is the job's result; what it raises fails the attempt, or steers the job (see
            ``toril.errors.Steer``). ``None`` for a worker that only processes by hand. A mapping gives each
            name of jobs a handler of its own, and ``"*"`` one for all other names; a job whose name has
            none fails. A parameter with a type of yours gets the job's data, decoded and checked; one that
            is marked with ``Depends`` gets what is made for it.
        by_queue: Instead of ``handler``, one for each queue: a function, or a mapping by names of jobs.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.
        prefix: Prefix of all keys of the queue.
        options: See ``WorkerOptions``.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self,
        queue: Queues,
        handler: Handlers | None = None,
        *,
        by_queue: Mapping[str, Handlers] | None = None,
        url: str | None = None,
        store: Store | None = None,
        prefix: str = "bull",
        **options: Unpack[WorkerOptions],
    ) -> None:
        super().__init__(
            queue, handler, by_queue=by_queue, url=url, store=store, prefix=prefix, options=options
        )
        settings = self._settings
        self._slots = Slots(max(LAST_WORDS, settings.longest_end))
        self._vitals = Vitals(self.id, settings.name, settings.heartbeat_ms, wall_clock_ms)
        self._pool = Pool(settings.concurrency, settings.policy)
        self._scaler = Scaler(self._pool, settings.autoscale, self._feeders, self._tell_scaled)
        self._duties = Duties(self._teller)
        self._locks: LockKeeper | None = None
        # Its queues, from the start on.
        self._lanes: dict[QueueRef, Lane] = {}
        self._starting: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._grace: float | None = None
        self._fails_unfinished = False
        self._paused = False

    # --- life ---

    async def run(self, *, grace: Duration | None = None, fail_unfinished: bool = False) -> None:
        """Work until closed. SIGTERM and SIGINT close the worker in order, a second one at once.

        Whoever handled these signals before handles them again afterwards.

        Args:
            grace: After a signal, jobs that run longer than that are cancelled, as by ``close(grace)``;
                ``None`` lets them finish, however long it takes.
            fail_unfinished: As in ``close``.

        Raises:
            OptionError: ``grace`` is no duration.
            StoreUnavailable: The server does not answer at start; later it is waited for.
            StoreMisconfigured: The server can't be used as it is set up.
        """
        self._grace = _seconds(grace, "grace")
        self._fails_unfinished = check_bool(fail_unfinished, "fail_unfinished")
        with closing_on_signals(self._close_soon):
            await self.start()
            await self._closed.wait()

    async def start(self) -> None:
        """Work in the background until closed; returns as soon as the worker is ready.

        Raises:
            StoreUnavailable: The server does not answer.
            StoreMisconfigured: The server can't be used as it is set up.
            BaseException: What ``on_start``, or the maker of a resource, raises.
        """
        if self._call is None:
            raise TypeError("a worker without a handler can't run; process by hand with get_next_job()")
        if self._closed.is_set():
            raise RuntimeError("this worker was closed; make a new one")
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        starting = self._starting
        try:
            await asyncio.shield(starting)
        except BaseException:
            # Whoever starts it again tries again.
            if starting.done():
                self._starting = None
            raise

    async def _enter(self) -> None:
        if self._call is not None:
            await self.start()

    async def _start(self) -> None:
        access = await self._link.open()
        if self._closing is None:
            await self._prepare()
        if self._closing is not None:
            # Told to close while it connected, or while the user's code prepared for jobs.
            return
        self._vitals.now_ms = access.store.now_ms
        self._make_lanes(access)
        only = self._lanes[self.ref] if len(self._lanes) == 1 else None
        self._slots.run = only.run if only else self._run_in_lane
        self._slots.go_on = only.feeder.go_on if only else self._go_on_in_lane
        self._slots.all_started = only.feeder.all_started if only else self._all_started
        for lane in self._lanes.values():
            lane.start(taking=not self._paused)
        self._duties.begin(self._vitals.watch)
        self._duties.begin(partial(self._scaler.watch, access.store))
        self._signals.tell("ready")

    async def _prepare(self) -> None:
        """Let the user's code prepare for jobs."""
        try:
            await self._life.begin(self)
        except BaseException:
            await self._link.close()
            raise

    def _make_lanes(self, access: Access) -> None:
        store, settings = access.store, self._settings
        self._locks = LockKeeper(store, settings)
        runner = self._runner(access)
        runner.interrupts.give_up = self._give_up
        cancels = CancelHearer(self._slots, runner.interrupts)
        means = Means(
            store,
            settings,
            runner,
            self._slots,
            self._pool,
            self._locks,
            cancels,
            self._signals,
            self._vitals.tally,
            self.status,
        )
        for ref, weight in zip(self._refs, self._weights.values(), strict=True):
            lane = self._lanes[ref] = Lane(ref, self._link, means)
            self._pool.join(lane.feeder, weight)
        for summons in store.summons({ref: lane.feeder.owner for ref, lane in self._lanes.items()}):
            self._duties.begin(partial(cancels.listen, summons))
        if not settings.skip_lock_renewal:
            self._locks.start()

    def _all_started(self) -> None:
        for lane in self._lanes.values():
            lane.feeder.all_started()

    def _give_up(self, job: Job, reason: BaseException) -> None:
        self._lanes[job.queue].give_up(job, reason)

    def _run_in_lane(self, job: Job) -> Awaitable[None]:
        return self._lanes[job.queue].run(job)

    def _go_on_in_lane(self, job: Job) -> Awaitable[None] | None:
        return self._lanes[job.queue].feeder.go_on(job)

    def _close_soon(self, force: bool) -> None:
        self._begin_closing(0.0 if force else self._grace)

    async def close(
        self, timeout: Duration | None = None, *, force: bool = False, fail_unfinished: bool = False
    ) -> None:
        """Stop taking jobs, let the running ones finish, and leave. Called again, it can only hurry.

        Args:
            timeout: Jobs that run longer than that are cancelled and wait again at once, for another worker;
                seconds or timedelta. ``None`` lets them finish, however long it takes. A handler in a
                thread is told (``job.cancelled``); one that does not listen within some seconds runs on
                while its job waits again.
            force: Don't let them finish at all.
            fail_unfinished: Jobs that were cancelled fail with ``WorkerStopped``, which costs them an
                attempt, instead of waiting again.

        Raises:
            RuntimeError: A handler, middleware or ``on_stop`` calls it without a ``timeout``.
        """
        seconds = 0.0 if force else _seconds(timeout, "timeout")
        if seconds is None:
            self._refuse_own("close", "give a timeout, or close in a task of its own")
        self._fails_unfinished |= check_bool(fail_unfinished, "fail_unfinished")
        await asyncio.shield(self._begin_closing(seconds))

    def _refuse_own(self, verb: str, advice: str) -> None:
        """Refuse to wait for what calls this itself.

        Raises:
            RuntimeError: It is a handler, middleware or ``on_stop`` of this worker.
        """
        task = asyncio.current_task()
        if task is not None and (task in self._slots.running.values() or task is self._life.words):
            text = f"the worker waits for what calls {verb}() here, so that it would wait for its own end"
            raise RuntimeError(f"{text}; {advice}")

    def _begin_closing(self, seconds: float | None) -> asyncio.Task[None]:
        if seconds is not None:
            self._patience.hurry(seconds)
        self._stop_taking()
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
            self._life.interrupt()
        return self._closing

    async def _close(self) -> None:
        if self._starting is not None:
            await asyncio.wait([self._starting])
        lanes = self._lanes.values()
        if lanes:
            self._stop_taking()
            self._signals.tell("closing")
            await self._stop_listening()
            await self._patience.let_finish(self._feeders(), self._slots)
            await self._give_back_unfinished()
            await self._duties.end()
            await asyncio.gather(*(lane.stop() for lane in lanes))
        if self._locks is not None:
            await self._locks.stop()
        await super().close()
        self._closed.set()
        if lanes:
            self._signals.tell("closed")
            await self._signals.settle()

    async def _give_back_unfinished(self) -> None:
        """Jobs that were not let finish wait again at once, in front, or fail; one not started waits."""
        started = set(self._slots.running) if self._fails_unfinished else set[Job]()
        for job in await self._slots.stop():
            lane = self._lanes[job.queue]
            if job in started:
                await lane.fail_unfinished(job)
            else:
                lane.give_back(job)
        feeders = self._feeders()
        await self._patience.let_settle(feeders)
        if unsettled := sum(feeder.unsettled for feeder in feeders):
            text = f"the server is silent; {unsettled} jobs could not be settled and will be found as stalled"
            self.report(StoreUnavailable(text))

    def _feeders(self) -> list[Feeder]:
        return [lane.feeder for lane in self._lanes.values()]

    def _stop_taking(self) -> None:
        for feeder in self._feeders():
            feeder.taking = False

    async def _stop_listening(self) -> None:
        for ending in [lane.stop_listening() for lane in self._lanes.values()]:
            await ending

    # --- steering ---

    @property
    def concurrency(self) -> int:
        """How many jobs run at once, over all queues; may be changed while the worker runs.

        It may be set to all that the option takes. A number ends automatic scaling.
        """
        return self._pool.slots

    @concurrency.setter
    def concurrency(self, slots: int | tuple[int, int] | Autoscale) -> None:
        self._scaler.set(slots)

    def _tell_scaled(self, slots: int, before: int) -> None:
        self._signals.tell("scaled", slots, before)

    @property
    def is_paused(self) -> bool:
        """Whether this worker was told to pause."""
        return self._paused

    @property
    def is_running(self) -> bool:
        """Whether it was started and not closed yet."""
        return bool(self._lanes) and not self._closed.is_set()

    @property
    def is_idle(self) -> bool:
        """Whether it runs, has nothing to do, and was told by its queue that there is nothing."""
        return self.is_running and all(feeder.resting for feeder in self._feeders())

    @property
    def server(self) -> str:
        """The URL of its server, without the password."""
        return self._link.server

    @property
    def health(self) -> str:
        """``healthy``, ``stopped``, or since when the server does not answer."""
        if not self.is_running:
            return "stopped"
        deaf_since = [feeder.deaf_since for feeder in self._feeders() if feeder.deaf_since is not None]
        if not deaf_since:
            return "healthy"
        return f"deaf for {time.monotonic() - min(deaf_since):.1f} s, reconnecting"

    def status(self) -> WorkerStatus:
        """How the worker is: what it runs, what it has done, the memory and the lag of its process."""
        held = sum(feeder.held for feeder in self._feeders())
        return self._vitals.status(
            list(self.queues), self.concurrency, held, self._slots.running, self.health
        )

    async def lag(self) -> float:
        """For how many seconds the next job of its queues has waited; 0 if none does, or none may start."""
        if not self.is_running:
            return 0.0
        access = await self._link.open()
        return await longest_wait(access.store, self._feeders())

    async def pause(self, *, wait: bool = True) -> None:
        """Take no more jobs; the queue and its other workers go on.

        Args:
            wait: Return when the running jobs are settled.

        Raises:
            RuntimeError: A handler, middleware or ``on_stop`` calls it without ``wait=False``.
        """
        if wait:
            self._refuse_own("pause", "give wait=False")
        paused, self._paused = self._paused, True
        self._stop_taking()
        await self._stop_listening()
        if wait:
            await all_idle(self._feeders())
        if not paused:
            self._signals.tell("paused")

    async def resume(self) -> None:
        """Take jobs again."""
        if not self._paused:
            return
        self._paused = False
        if self._closing is None:
            for lane in self._lanes.values():
                lane.take_again()
        self._signals.tell("resumed")

    async def _take(self, access: Access, token: str | None) -> Job | None:
        return None if self._paused else await super()._take(access, token)


def _seconds(duration: Duration | None, option: str) -> float | None:
    return None if duration is None else to_ms(duration, option) / 1000
