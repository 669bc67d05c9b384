"""The worker: runs the jobs of a queue in its slots."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Unpack

from toril.core.connection import Access
from toril.core.job import Job
from toril.core.worker.closing import SILENCE, Closing
from toril.core.worker.feeder import Feeder
from toril.core.worker.locks import LockKeeper
from toril.core.worker.manual import ManualWorker
from toril.core.worker.routes import Handlers
from toril.core.worker.run import Runner, Settling
from toril.core.worker.schedules import Schedules
from toril.core.worker.settings import WorkerOptions, check_concurrency
from toril.core.worker.shutdown import closing_on_signals
from toril.core.worker.slots import Slots
from toril.core.worker.stalled import look_for_stalled
from toril.errors import AlreadyMoved, JobError, LockLost, ReturnToWait, StoreUnavailable
from toril.model.duration import Duration, to_ms
from toril.model.job import JobRecord
from toril.store.contract import Store
from toril.store.values import AwaitChildren, GiveBack

_logger = logging.getLogger(__name__)

# Seconds until a duty that failed begins anew.
_FAULT_PAUSE = 1.0


class Worker(ManualWorker):
    """Runs the jobs of a queue. It can be made anywhere; it connects when it is started.

    Args:
        queue: Name of the queue.
        handler: Called with each job: ``async def`` on the event loop, ``def`` in a thread. What it returns
            is the job's result; what it raises fails the attempt, or steers the job (see
            ``toril.errors.Steer``). ``None`` for a worker that only processes by hand. A mapping gives each
            name of jobs a handler of its own, and ``"*"`` one for all other names; a job whose name has
            none fails. A parameter with a type of yours gets the job's data, decoded and checked.
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.
        prefix: Prefix of all keys of the queue.
        options: See ``WorkerOptions``.

    Raises:
        OptionError: An option can't be used.
    """

    def __init__(
        self,
        queue: str,
        handler: Handlers | None = None,
        *,
        url: str | None = None,
        store: Store | None = None,
        prefix: str = "bull",
        **options: Unpack[WorkerOptions],
    ) -> None:
        super().__init__(queue, handler, url=url, store=store, prefix=prefix, options=options)
        self._slots = Slots(self._run_job)
        self._again: set[asyncio.Task[None]] = set()
        self._duties: list[asyncio.Task[None]] = []
        self._feeder: Feeder | None = None
        self._runner_: Runner | None = None
        self._locks: LockKeeper | None = None
        self._scheduler: Schedules | None = None
        self._listening: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._patience = Closing()
        self._paused = False

    # --- life ---

    async def run(self) -> None:
        """Work until closed. SIGTERM and SIGINT close the worker in order, a second one at once.

        Raises:
            StoreUnavailable: The server does not answer at start; later it is waited for.
            StoreMisconfigured: The server can't be used as it is set up.
        """
        with closing_on_signals(self._close_soon):
            await self.start()
            await self._closed.wait()

    async def start(self) -> None:
        """Work in the background until closed; returns as soon as the worker is ready.

        Raises:
            StoreUnavailable: The server does not answer.
            StoreMisconfigured: The server can't be used as it is set up.
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
        access = await self._open()
        if self._closing is not None:
            # Told to close while it connected.
            return
        self._feeder = Feeder(access.store, self.ref, self._settings, self)
        self._feeder.taking = not self._paused
        self._runner_ = self._runner(access)
        self._scheduler = self._schedules(access)
        self._locks = LockKeeper(access.store, self.ref, self._settings, self._lock_lost, self.report)
        if not self._settings.skip_lock_renewal:
            self._locks.start()
        self._duties = [asyncio.create_task(self._keep_up(self._feeder.feed))]
        if not self._settings.skip_stalled_check:
            look = partial(look_for_stalled, self, self._settings.stalled_ms / 1000)
            self._duties.append(asyncio.create_task(self._keep_up(look)))
        if not self._paused:
            self._listen(self._feeder)
        self._signals.tell("ready")

    def _listen(self, feeder: Feeder) -> None:
        self._listening = asyncio.create_task(self._keep_up(feeder.listen))

    async def _stop_listening(self) -> None:
        """Who takes no jobs must not hear of them either: a word is for one worker only."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            await asyncio.wait([listening])

    async def _keep_up(self, duty: Callable[[], Awaitable[None]]) -> None:
        """A duty goes on until the worker closes; a fault that ends it must not stop the rest."""
        while True:
            try:
                await duty()
            except Exception as error:
                _logger.critical(
                    "a duty of the worker failed", exc_info=error, extra={"queue": self.ref.name}
                )
                self.report(error)
                await asyncio.sleep(_FAULT_PAUSE)

    def _close_soon(self, force: bool) -> None:
        self._begin_closing(0.0 if force else None)

    async def close(self, timeout: Duration | None = None, *, force: bool = False) -> None:
        """Stop taking jobs, let the running ones finish, and leave. Called again, it can only hurry.

        Args:
            timeout: Jobs that run longer than that are cancelled and wait again at once, for another worker;
                seconds or timedelta. ``None`` lets them finish, however long it takes. A handler in a
                thread can't be cancelled: it runs on while its job waits again.
            force: Don't let them finish at all.
        """
        seconds = 0.0 if force else None if timeout is None else to_ms(timeout, "timeout") / 1000
        await asyncio.shield(self._begin_closing(seconds))

    def _begin_closing(self, seconds: float | None) -> asyncio.Task[None]:
        if seconds is not None:
            self._patience.hurry(seconds)
        if self._feeder is not None:
            self._feeder.taking = False
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        return self._closing

    async def _close(self) -> None:
        if self._starting is not None:
            await asyncio.wait([self._starting])
        feeder = self._feeder
        if feeder is not None:
            feeder.taking = False
            self._signals.tell("closing")
            await self._stop_listening()
            await self._patience.let_finish(feeder, self._slots)
            await self._give_back_unfinished(feeder)
            await self._stop_duties()
        await super().close()
        self._closed.set()
        if feeder is not None:
            self._signals.tell("closed")
            await self._signals.settle()

    async def _give_back_unfinished(self, feeder: Feeder) -> None:
        """Jobs that were not let finish wait again at once, in front; this was no attempt of theirs."""
        for job in await self._slots.stop():
            self._give_back(feeder, job)
        try:
            async with asyncio.timeout(SILENCE):
                await feeder.idle()
        except TimeoutError:
            text = (
                f"the server is silent; {feeder.held} jobs could not be settled and will be found as stalled"
            )
            self.report(StoreUnavailable(text))

    def _give_back(self, feeder: Feeder, job: Job) -> None:
        feeder.settle(Settling(job, GiveBack(job.id, job.token), error=ReturnToWait()))

    async def _stop_duties(self) -> None:
        for duty in self._duties:
            duty.cancel()
        await asyncio.wait(self._duties)
        if self._locks is not None:
            await self._locks.stop()

    # --- steering ---

    @property
    def concurrency(self) -> int:
        """How many jobs run at once; may be changed while the worker runs."""
        return self._settings.concurrency

    @concurrency.setter
    def concurrency(self, slots: int) -> None:
        self._settings.concurrency = check_concurrency(slots)
        if self._feeder is not None:
            self._feeder.concurrency = slots
            self._feeder.wake()

    @property
    def is_paused(self) -> bool:
        """Whether this worker was told to pause."""
        return self._paused

    @property
    def is_running(self) -> bool:
        """Whether it was started and not closed yet."""
        return self._feeder is not None and not self._closed.is_set()

    @property
    def health(self) -> str:
        """``healthy``, ``stopped``, or since when the server does not answer."""
        if not self.is_running or self._feeder is None:
            return "stopped"
        deaf_since = self._feeder.deaf_since
        if deaf_since is None:
            return "healthy"
        return f"deaf for {time.monotonic() - deaf_since:.1f} s, reconnecting"

    async def pause(self, *, wait: bool = True) -> None:
        """Take no more jobs; the queue and its other workers go on.

        Args:
            wait: Return when the running jobs are settled.
        """
        paused, self._paused = self._paused, True
        if self._feeder is not None:
            self._feeder.taking = False
            await self._stop_listening()
            if wait:
                await self._feeder.idle()
        if not paused:
            self._signals.tell("paused")

    async def resume(self) -> None:
        """Take jobs again."""
        if not self._paused:
            return
        self._paused = False
        if self._feeder is not None and self._closing is None:
            self._feeder.taking = True
            self._feeder.wake()
            self._listen(self._feeder)
        self._signals.tell("resumed")

    async def _take(self, access: Access, token: str | None) -> Job | None:
        return None if self._paused else await super()._take(access, token)

    # --- slots ---

    def start_jobs(self, records: Sequence[JobRecord]) -> None:
        """Hand jobs that were taken to the slots."""
        assert self._locks is not None
        assert self._feeder is not None
        jobs = [Job.of(record, self._link) for record in records]
        for job in jobs:
            self._locks.hold(job.id, job.token)
            if self._slots.stopping:
                self._give_back(self._feeder, job)
        if not self._slots.stopping:
            self._slots.give(jobs)

    async def _run_job(self, job: Job) -> None:
        assert self._runner_ is not None
        assert self._locks is not None
        self._locks.running = job
        if b"rjk" in job.fields:
            assert self._scheduler is not None
            await self._advance(self._scheduler, job)
        if self._signals.heard("active"):
            self._signals.tell("active", job)
        if self._signals.heard("progress"):
            job.on_progress = self._tell_progress
        try:
            settling = await self._runner_.run(job, self._is_stopping)
        except Exception as error:
            # Not the handler's fault, and not to be: the slot must live, and the job be found as stalled.
            settling = Settling(job, None, error=error)
        self._deliver(settling)

    def _is_stopping(self) -> bool:
        return self._slots.stopping

    def _tell_progress(self, job: Job, progress: Any) -> None:
        self._signals.tell("progress", job, progress)

    def _deliver(self, settling: Settling) -> None:
        assert self._feeder is not None
        if settling.settlement is not None:
            self._feeder.settle(settling)
            return
        # The handler has moved the job, or it can't be settled at all.
        self._feeder.forget()
        self.unsettled(settling)
        if settling.error is not None and not isinstance(settling.error, AlreadyMoved):
            self.report(settling.error)

    # --- what the feeder tells ---

    def settled(self, settling: Settling, answer: int | JobError) -> None:
        """A settlement was carried out, or refused."""
        if isinstance(answer, JobError):
            self._refused(settling, answer)
        elif answer == 1 and isinstance(settling.settlement, AwaitChildren):
            # There is no child to wait for, so the job goes on at once.
            assert self._feeder is not None
            self._feeder.held += 1
            self._give_back(self._feeder, settling.job)
        else:
            self.unsettled(settling)
            self._tell_settled(settling)

    def unsettled(self, settling: Settling) -> None:
        """Nothing more is to be done for a job; its lock is not ours any more."""
        if self._locks is not None:
            self._locks.release(settling.job.id, settling.job.token)

    def _refused(self, settling: Settling, error: JobError) -> None:
        """A success that is refused becomes a failure of the attempt."""
        assert self._feeder is not None
        self.report(error)
        if settling.error is not None and not isinstance(settling.settlement, AwaitChildren):
            self.unsettled(settling)
            return
        self._feeder.held += 1
        task = asyncio.create_task(self._fail_refused(settling.job, error))
        self._again.add(task)
        task.add_done_callback(self._again.discard)

    async def _fail_refused(self, job: Job, error: JobError) -> None:
        assert self._runner_ is not None
        self._deliver(await self._runner_.after_error(job, error))

    def drained(self) -> None:
        """The queue has run empty."""
        self._signals.tell("drained")

    def _lock_lost(self, id: str) -> None:
        # A job whose settlement is on its way may have given up its lock by that.
        if any(job.id == id for job in self._slots.running):
            self.report(LockLost(f"could not renew the lock of job {id}", queue=self.ref.name, job_id=id))
