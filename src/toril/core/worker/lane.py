"""A lane: all that a worker does for one queue. Its jobs run in slots that other lanes may share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from toril.core.connection import StoreLink
from toril.core.job import Job
from toril.core.signals import Signals
from toril.core.worker.duties import Duties
from toril.core.worker.feeder import Feeder
from toril.core.worker.heartbeat import Heartbeat
from toril.core.worker.locks import LockKeeper
from toril.core.worker.pool import Pool
from toril.core.worker.run import Runner, Settling
from toril.core.worker.schedules import Schedules
from toril.core.worker.settings import Settings
from toril.core.worker.slots import Slots
from toril.core.worker.stalled import Rescue
from toril.core.worker.summons import CancelHearer
from toril.core.worker.tally import Tally
from toril.core.worker.teller import Teller
from toril.errors import AlreadyMoved, JobError, LockLost, ReturnToWait, WorkerStopped
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.model.worker_status import WorkerStatus
from toril.store.contract import Store
from toril.store.values import AwaitChildren, GiveBack


class Means(msgspec.Struct, frozen=True):
    """What the lanes of a worker have in common."""

    store: Store
    settings: Settings
    runner: Runner
    slots: Slots
    pool: Pool
    locks: LockKeeper
    cancels: CancelHearer
    signals: Signals
    tally: Tally
    status: Callable[[], WorkerStatus]


class Lane:
    """Takes the jobs of a queue, has them run, and settles them.

    Args:
        queue: The queue.
        link: Its way to the store, for the jobs.
        means: What it shares with other lanes; the slots must call ``run`` with the jobs of this one.

    Attributes:
        queue: The queue.
        feeder: Says how many jobs the lane may hold, and how many it holds.
    """

    def __init__(self, queue: QueueRef, link: StoreLink, means: Means) -> None:
        store, settings = means.store, means.settings
        self.queue = queue
        self.feeder: Feeder = Feeder(store, queue, settings, self, means.pool)
        self._link = link
        self._settings = settings
        self._runner = means.runner
        self._slots = means.slots
        self._keeper = means.locks
        self._signals = means.signals
        self._teller = Teller(queue, means.signals, means.tally)
        self._schedules = Schedules(store, queue, settings.repeat_strategy, self.report)
        self._rescue = Rescue(store, settings, self._schedules, self._teller)
        self._cancels = means.cancels
        self._locks = means.locks.of(queue, self._lock_lost, means.cancels.cancel, self.report)
        self._heartbeat = Heartbeat(store, queue, settings.heartbeat_ms, means.status)
        self._duties = Duties(self._teller)
        self._feeding: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._failing: set[asyncio.Task[None]] = set()
        # Jobs that run on though it was told that their locks are lost.
        self._lost: set[Job] = set()

    # --- life ---

    def start(self, *, taking: bool) -> None:
        """Go on in the background until stopped; without taking jobs, if told so."""
        self.feeder.taking = taking
        self._feeding = self._duties.begin(self.feeder.feed)
        if not self._settings.skip_stalled_check:
            self._duties.begin(self._rescue.look)
        if not self._settings.skip_heartbeat:
            self._duties.begin(self._heartbeat.beat)
        if taking:
            self._listen()

    def take_again(self) -> None:
        """Take jobs from now on, after a pause."""
        self.feeder.taking = True
        self.feeder.wake()
        self._listen()

    def _listen(self) -> None:
        self._listening = self._duties.begin(self.feeder.listen)

    def stop_listening(self) -> Awaitable[None]:
        """Who takes no jobs must not hear of them either: a word is for one worker only.

        It is no listener any more when this returns; what is to be awaited is its end.
        """
        listening, self._listening = self._listening, None
        return asyncio.sleep(0) if listening is None else self._duties.end(listening)

    async def stop(self) -> None:
        """End all that goes on."""
        await self._duties.end()
        if not self._settings.skip_heartbeat and self.feeder.deaf_since is None:
            await self._heartbeat.farewell()

    # --- one job ---

    @property
    def behind(self) -> bool:
        """Whether jobs that were handed to the slots were not begun yet."""
        return self._slots.behind

    @property
    def running(self) -> int:
        """How many handlers run, those of other lanes too."""
        return len(self._slots.running)

    def start_jobs(self, records: Sequence[JobRecord]) -> None:
        """Hand jobs that were taken to the slots."""
        jobs = [Job.of(record, self._link) for record in records]
        for job in jobs:
            self._locks.hold(job.id, job.token)
            if self._slots.stopping:
                self.give_back(job)
        if not self._slots.stopping:
            self._slots.give(jobs)
            self._cancels.catch_up(jobs)

    async def run(self, job: Job) -> None:
        """Run a job and have it settled; what a slot does."""
        self._keeper.last.record = job
        if b"rjk" in job.fields:
            await self._schedules.advance_patiently(job)
        if "active" in self._signals.heard:
            self._signals.tell("active", job)
        if "progress" in self._signals.heard:
            job.on_progress = self._teller.progress
        try:
            settling = await self._runner.run(job, self._is_stopping)
        except Exception as error:
            # Not the handler's fault, and not to be: the slot must live, and the job be found as stalled.
            settling = Settling(job, None, error=error)
        if job in self._slots.running:
            self._deliver(settling, self.feeder.done)

    def give_up(self, job: Job, reason: BaseException) -> None:
        """Fail a job whose handler goes on though it was told to end."""
        # A worker that closes has given up all that went on.
        if job in self._slots.running:
            self._slots.give_up(job)
            self._fail_soon(job, reason)

    def _is_stopping(self) -> bool:
        # When the loop goes down all that goes on is cancelled, and not by us.
        return self._slots.stopping or (self._feeding is not None and self._feeding.cancelling() > 0)

    def _deliver(self, settling: Settling, settle: Callable[[Settling], None]) -> None:
        if settling.settlement is not None:
            settle(settling)
            return
        # The handler has moved the job, or it can't be settled at all.
        self.feeder.forget()
        self.unsettled(settling)
        if settling.error is not None and not isinstance(settling.error, AlreadyMoved):
            self.report(settling.error)

    def give_back(self, job: Job) -> None:
        """A job that was not let finish waits again at once, in front; this was no attempt of it."""
        self.feeder.settle(Settling(job, GiveBack(job.id, job.token), error=ReturnToWait()))

    async def fail_unfinished(self, job: Job) -> None:
        """A job that was not let finish fails: an attempt of it is lost."""
        error = WorkerStopped(
            "the worker was stopped while it ran the job", queue=self.queue.name, job_id=job.id
        )
        self._deliver(await self._runner.after_error(job, error), self.feeder.settle)

    # --- what the feeder tells ---

    def settled(self, settling: Settling, answer: int | JobError) -> None:
        """A settlement was carried out, or refused."""
        if isinstance(answer, JobError):
            self._refused(settling, answer)
        elif answer == 1 and isinstance(settling.settlement, AwaitChildren):
            # There is no child to wait for, so the job goes on at once.
            self.feeder.held += 1
            self.give_back(settling.job)
        else:
            self.unsettled(settling)
            self._teller.settled(settling)

    def unsettled(self, settling: Settling) -> None:
        """Nothing more is to be done for a job; its lock is not ours any more."""
        self._locks.release(settling.job.id, settling.job.token)
        self._lost.discard(settling.job)

    def _refused(self, settling: Settling, error: JobError) -> None:
        """A success that is refused becomes a failure of the attempt."""
        if not (isinstance(error, LockLost) and settling.job in self._lost):
            self.report(error)
        if settling.fails_by(error):
            self.feeder.held += 1
            self._fail_soon(settling.job, error)
        else:
            self.unsettled(settling)

    def _fail_soon(self, job: Job, error: BaseException) -> None:
        task = asyncio.create_task(self._fail(job, error))
        self._failing.add(task)
        task.add_done_callback(self._failing.discard)

    async def _fail(self, job: Job, error: BaseException) -> None:
        self._deliver(await self._runner.after_error(job, error), self.feeder.settle)

    def report(self, error: BaseException) -> None:
        """Tell of an error that is nobody's job."""
        self._teller.report(error)

    def drained(self) -> None:
        """The queue has run empty."""
        self._signals.tell("drained")

    def _lock_lost(self, id: str) -> None:
        # A job whose settlement is on its way may have given up its lock by that.
        lost = [job for job in self._slots.running if job.id == id and job.queue == self.queue]
        if lost:
            self._lost.update(lost)
            self.report(LockLost(f"could not renew the lock of job {id}", queue=self.queue.name, job_id=id))
