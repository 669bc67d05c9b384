"""Running workers until they are told to stop, have nothing left to do, or have done enough."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from functools import partial

from toril import Job, Worker
from toril.errors import OptionError
from toril.model.autoscale import Sample
from toril.supervise.link import Kind, Link, Report
from toril.supervise.load import load_of
from toril.supervise.plan import Plan

_logger = logging.getLogger("toril.worker")
_jobs = logging.getLogger("toril.jobs")

# Seconds between two reports, and between looks at whether to leave.
_REPORT = 1.0
_LOOK = 0.1
_MB = 1024 * 1024

Tell = Callable[[Report], None]


class Serving:
    """Runs the workers of a process.

    Args:
        plan: What to run, and how.
        workers: All of them.
        tell: Hears how they are.
    """

    def __init__(self, plan: Plan, workers: Sequence[Worker], tell: Tell) -> None:
        self._plan = plan
        self._workers = workers
        self._tell = tell
        self._loads: list[Sample] = []
        self._leaving: asyncio.Task[None] | None = None
        for worker in workers:
            if plan.concurrency is not None:
                worker.concurrency = plan.concurrency
            worker.on("closing", partial(_log_closing, worker))
            if plan.verbose:
                worker.on("completed", _log_completed)
                worker.on("failed", _log_failed)

    async def run(self, link: Link | None) -> None:
        """Run until all workers are closed; without its supervisor a process has no reason to live.

        Raises:
            OptionError: The process has more memory than it may from the beginning.
            StoreError: A server can't be reached, or used; all workers are closed then.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self.leave)
        runs = [
            asyncio.create_task(
                worker.run(grace=self._plan.grace, fail_unfinished=self._plan.fail_unfinished)
            )
            for worker in self._workers
        ]
        duties = [asyncio.create_task(self._report())]
        if link is not None:
            duties.append(asyncio.create_task(self._follow(link)))
        try:
            await self._started()
            duties.append(asyncio.create_task(self._watch()))
            await asyncio.gather(*runs)
        finally:
            for duty in duties:
                duty.cancel()
            await asyncio.gather(*(worker.close(force=True) for worker in self._workers))
            await asyncio.gather(*runs, *duties, return_exceptions=True)

    async def _started(self) -> None:
        answers = await asyncio.gather(*(worker.start() for worker in self._workers), return_exceptions=True)
        for error in answers:
            if error is not None:
                raise error
        self._check_memory()
        self._say("ready")

    def _check_memory(self) -> None:
        """Refuse a bound that would have each process replaced before it does anything."""
        most, rss = self._plan.max_memory, self._workers[0].status().rss
        if most is not None and rss >= most:
            text = f"must be more than the process has before its first job, {rss / _MB:.0f} MB"
            raise OptionError("max_memory", f"{most / _MB:.0f}MB", text)

    def _say(self, kind: Kind, reason: str = "") -> None:
        servers = sorted({worker.server for worker in self._workers})
        told = [worker.status() for worker in self._workers]
        self._tell(Report(kind, told, servers, self._loads, reason))

    async def _report(self) -> None:
        while True:
            self._say("status")
            if self._plan.scales:
                self._loads = await asyncio.gather(*(load_of(worker, _REPORT) for worker in self._workers))
            else:
                await asyncio.sleep(_REPORT)

    async def _follow(self, link: Link) -> None:
        await link.gone()
        _logger.warning("the supervisor is gone; leaving")
        self.leave()

    # --- leaving ---

    def leave(self) -> None:
        """Close all workers in order."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._close())

    async def _close(self) -> None:
        plan = self._plan
        close = partial(Worker.close, timeout=plan.grace, fail_unfinished=plan.fail_unfinished)
        await asyncio.gather(*(close(worker) for worker in self._workers))

    async def _watch(self) -> None:
        """Leave when enough was done, or when all was."""
        while self._leaving is None:
            await asyncio.sleep(_LOOK)
            if reason := self._spent():
                _logger.info("leaving", extra={"reason": reason})
                self._say("spent", reason)
                self.leave()
            elif self._plan.burst and all(worker.is_idle for worker in self._workers):
                self._say("drained")
                self.leave()

    def _spent(self) -> str:
        plan = self._plan
        told = [worker.status() for worker in self._workers]
        if plan.max_jobs is not None and sum(one.completed + one.failed for one in told) >= plan.max_jobs:
            return "max-jobs"
        if plan.max_memory is not None and told[0].rss >= plan.max_memory:
            return "max-memory"
        return ""


def _log_closing(worker: Worker) -> None:
    told = worker.status()
    _logger.info("stopping", extra={"queues": ", ".join(told.queues), "running": len(told.running)})


def _log_completed(job: Job, result: object) -> None:
    del result
    _jobs.info("completed", extra=_facts(job))


def _log_failed(job: Job, error: BaseException, previous: str) -> None:
    del previous
    _jobs.info("failed", extra={**_facts(job), "error": f"{type(error).__name__}: {error}"})


def _facts(job: Job) -> dict[str, object]:
    ran = (job.finished_on_ms or 0) - (job.processed_on_ms or 0)
    facts: dict[str, object] = {"queue": job.queue_name, "job_id": job.id, "job_name": job.name}
    return {**facts, "seconds": ran / 1000} if ran >= 0 and job.finished_on_ms else facts
