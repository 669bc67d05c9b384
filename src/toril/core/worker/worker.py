"""The worker: runs the jobs of a queue in its slots."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Self, Unpack

from toril.core.connection import Access
from toril.core.job import Job
from toril.core.worker.feeder import Feeder
from toril.core.worker.handler import Handler
from toril.core.worker.locks import LockKeeper
from toril.core.worker.manual import ManualWorker
from toril.core.worker.run import Runner, Settling
from toril.core.worker.settings import WorkerOptions, check_concurrency
from toril.core.worker.shutdown import closing_on_signals
from toril.core.worker.slots import Slots
from toril.core.worker.stalled import look_for_stalled
from toril.errors import AlreadyMoved, JobError, LockLost, StoreError
from toril.model.duration import Duration, to_ms
from toril.model.job import JobRecord
from toril.store.contract import AwaitChildren, GiveBack, Store

_logger = logging.getLogger(__name__)

# A server that is silent for so many seconds does not keep a worker from closing.
_SILENCE = 10.0
# Seconds until a duty that failed begins anew.
_FAULT_PAUSE = 1.0


class Worker(ManualWorker):
    """Runs the jobs of a queue. It can be made anywhere; it connects when it is started.

    Args:
        queue: Name of the queue.
        handler: Called with each job: ``async def`` on the event loop, ``def`` in a thread. What it returns
            is the job's result; what it raises fails the attempt, or steers the job (see
            ``toril.errors.Steer``). ``None`` for a worker that only processes by hand.
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
        handler: Handler | None = None,
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
        self._closed: asyncio.Event | None = None
        self._closing: asyncio.Task[None] | None = None
        self._paused = False
        self._warned = False

    # --- life ---

    async def run(self) -> None:
        """Work until closed. SIGTERM and SIGINT close the worker in order, a second one at once.

        Raises:
            StoreUnavailable: The server does not answer at start; later it is waited for.
            StoreMisconfigured: The server can't be used as it is set up.
        """
        with closing_on_signals(self._close_soon):
            closed = await self._start()
            await closed.wait()

    async def start(self) -> None:
        """Work in the background until closed; returns as soon as the worker is ready."""
        await self._start()

    async def __aenter__(self) -> Self:
        if self._call is not None:
            await self._start()
        return self

    async def _start(self) -> asyncio.Event:
        if self._closed is not None:
            return self._closed
        if self._call is None:
            raise TypeError("a worker without a handler can't run; process by hand with get_next_job()")
        access = await self._open()
        self._closed = asyncio.Event()
        if self._closing is not None:
            # Told to close while it connected.
            self._closed.set()
            return self._closed
        self._feeder = Feeder(access.store, self.ref, self._settings, self)
        self._feeder.taking = not self._paused
        self._runner_ = self._runner(access)
        self._locks = LockKeeper(access.store, self.ref, self._settings, self._lock_lost, self.report)
        if not self._settings.skip_lock_renewal:
            self._locks.start()
        duties = [self._feeder.feed, self._feeder.listen]
        if not self._settings.skip_stalled_check:
            duties.append(partial(look_for_stalled, self, self._settings.stalled_ms / 1000))
        self._duties = [asyncio.create_task(self._keep_up(duty)) for duty in duties]
        self._signals.tell("ready")
        return self._closed

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
        if self._closing is None or force:
            self._closing = asyncio.get_running_loop().create_task(self.close(force=force))

    async def close(self, timeout: Duration | None = None, *, force: bool = False) -> None:
        """Stop taking jobs, let the running ones finish, and leave.

        Args:
            timeout: Jobs that run longer than that are cancelled and wait again at once, for another worker;
                seconds or timedelta. ``None`` lets them finish, however long it takes.
            force: Don't let them finish at all.
        """
        seconds = 0.0 if force else None if timeout is None else to_ms(timeout, "timeout") / 1000
        feeder, closed = self._feeder, self._closed
        if feeder is None or closed is None:
            await super().close()
            return
        if feeder.taking or not closed.is_set():
            self._signals.tell("closing")
        feeder.taking = False
        self._duties[1].cancel()
        await self._let_finish(feeder, seconds)
        await self._give_back_unfinished()
        await self._leave()
        if not closed.is_set():
            closed.set()
            self._signals.tell("closed")
            await self._signals.settle()

    async def _let_finish(self, feeder: Feeder, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        deadline = None if seconds is None else loop.time() + seconds
        idle = asyncio.ensure_future(feeder.idle())
        try:
            while not idle.done():
                left = 1.0 if deadline is None else min(max(deadline - loop.time(), 0), 1.0)
                await asyncio.wait([idle], timeout=left)
                silent = feeder.deaf_since is not None and loop.time() - feeder.deaf_since > _SILENCE
                if (deadline is not None and loop.time() >= deadline) or (silent and not self._slots.running):
                    break
        finally:
            idle.cancel()

    async def _give_back_unfinished(self) -> None:
        """Jobs that were not let finish wait again at once, in front; this was no attempt of theirs."""
        unfinished = await self._slots.stop()
        if not unfinished:
            return
        store = (await self._open()).store
        settlements = [GiveBack(job.id, job.token) for job in unfinished]
        try:
            await store.jobs.settle(self.ref, settlements, None, at_ms=store.now_ms())
        except StoreError as error:
            # Their locks run out, and another worker finds them.
            self.report(error)

    async def _leave(self) -> None:
        for duty in self._duties:
            duty.cancel()
        if self._duties:
            await asyncio.wait(self._duties)
        if self._locks is not None:
            await self._locks.stop()
        await super().close()

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
        return self._closed is not None and not self._closed.is_set()

    @property
    def health(self) -> str:
        """``healthy``, ``stopped``, or since when the server does not answer."""
        if not self.is_running or self._feeder is None:
            return "stopped"
        deaf_since = self._feeder.deaf_since
        if deaf_since is None:
            return "healthy"
        return f"deaf for {asyncio.get_running_loop().time() - deaf_since:.1f} s, reconnecting"

    async def pause(self, *, wait: bool = True) -> None:
        """Take no more jobs; the queue and its other workers go on.

        Args:
            wait: Return when the running jobs are settled.
        """
        if self._paused:
            return
        self._paused = True
        if self._feeder is not None:
            self._feeder.taking = False
            if wait:
                await self._feeder.idle()
        self._signals.tell("paused")

    async def resume(self) -> None:
        """Take jobs again."""
        if not self._paused:
            return
        self._paused = False
        if self._feeder is not None and self._closing is None:
            self._feeder.taking = True
            self._feeder.wake()
        self._signals.tell("resumed")

    async def _take(self, access: Access, token: str | None) -> Job | None:
        return None if self._paused else await super()._take(access, token)

    # --- slots ---

    def start_jobs(self, records: Sequence[JobRecord]) -> None:
        """Hand jobs that were taken to the slots."""
        assert self._locks is not None
        for record in records:
            self._locks.hold(record.id, record.token)
            if b"rjk" in record.fields:
                self._warn_of_scheduler(record)
        self._slots.give([Job.of(record, self._link) for record in records])

    def _warn_of_scheduler(self, record: JobRecord) -> None:
        """This version runs the jobs of schedulers, but does not add their next ones."""
        if not self._warned:
            self._warned = True
            _logger.warning(
                "this worker does not add the next run of a job scheduler; let Node work this queue",
                extra={"queue": self.ref.name, "scheduler": record.repeat_job_key},
            )

    async def _run_job(self, job: Job) -> None:
        assert self._runner_ is not None
        assert self._locks is not None
        self._locks.running = job
        if self._signals.heard("active"):
            self._signals.tell("active", job)
        if self._signals.heard("progress"):
            job.on_progress = self._tell_progress
        settling = await self._runner_.run(job)
        self._locks.release(job.id)
        self._deliver(settling)

    def _tell_progress(self, job: Job, progress: Any) -> None:
        self._signals.tell("progress", job, progress)

    def _deliver(self, settling: Settling) -> None:
        assert self._feeder is not None
        if settling.settlement is not None:
            self._feeder.settle(settling)
            return
        # The handler has moved the job, or it can't be settled at all.
        self._feeder.forget()
        if settling.error is not None and not isinstance(settling.error, AlreadyMoved):
            self.report(settling.error)

    # --- what the feeder tells ---

    def settled(self, settling: Settling, answer: int | JobError) -> None:
        """A settlement was carried out, or refused."""
        if isinstance(answer, JobError):
            self._refused(settling, answer)
        elif answer == 1 and isinstance(settling.settlement, AwaitChildren):
            # There is no child to wait for, so the job goes on at once.
            job = settling.job
            self._settle_again(Settling(job, GiveBack(job.id, job.token), error=settling.error))
        else:
            self._tell_settled(settling)

    def _refused(self, settling: Settling, error: JobError) -> None:
        """A success that is refused becomes a failure of the attempt."""
        self.report(error)
        if settling.error is None and self._runner_ is not None:
            task = asyncio.create_task(self._fail_refused(settling.job, error))
            self._again.add(task)
            task.add_done_callback(self._again.discard)

    async def _fail_refused(self, job: Job, error: JobError) -> None:
        assert self._runner_ is not None
        self._settle_again(await self._runner_.after_error(job, error))

    def _settle_again(self, settling: Settling) -> None:
        assert self._feeder is not None
        self._feeder.held += 1
        self._deliver(settling)

    def report(self, error: BaseException) -> None:
        """Tell of an error that is nobody's job; logged when no one listens."""
        if not self._signals.heard("error"):
            _logger.error("worker error", exc_info=error, extra={"queue": self.ref.name})
        self._signals.tell("error", error)

    def drained(self) -> None:
        """The queue has run empty."""
        self._signals.tell("drained")

    def _lock_lost(self, id: str) -> None:
        self.report(LockLost(f"could not renew the lock of job {id}", queue=self.ref.name, job_id=id))
