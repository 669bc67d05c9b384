"""One thread renews the locks of all workers of an event loop and a store, on one connection.

It has a loop of its own, so that handlers that block theirs keep their locks.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from toril.model.job import JobRecord
from toril.store.contract import Renewer, Store

_logger = logging.getLogger(__name__)

# A loop that does not answer for so many seconds is reported, with the job that it was given last.
_LAG_WARNING = 1.0


class Kept(Protocol):
    """Locks that one of the workers asks to be kept; all is called in the thread."""

    @property
    def period(self) -> float:
        """Seconds between looks at what is due."""
        ...

    def due(self) -> Sequence[Any]:
        """The locks to be renewed now."""
        ...

    async def renew(self, due: Sequence[Any], renewer: Renewer) -> None:
        """Renew those; what it raises is nobody's business but its own."""
        ...


class LastJob:
    """The job that was started last, for reports of a blocked loop."""

    def __init__(self) -> None:
        self.record: JobRecord | None = None


class LockThread:
    """The thread. Those that it keeps locks for share it: it is begun by the first, and ends with the last.

    Attributes:
        last: The job that was started last, by any of them.
    """

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        self._kept: set[Kept] = set()
        self._stirred = threading.Event()
        self._thread = threading.Thread(target=self._run, name="toril-locks", daemon=True)
        self._pinged_at: float | None = None
        self._warn_after = _LAG_WARNING
        self.last: LastJob = LastJob()

    def join(self, kept: Kept) -> None:
        """Keep these locks from now on."""
        self._kept.add(kept)
        if not self._thread.is_alive():
            self._thread.start()
        elif kept.period < _LAG_WARNING:
            # It may sleep for longer than these locks last.
            self._stirred.set()

    async def leave(self, kept: Kept) -> None:
        """Keep them no more; the last one to leave waits for the end of the thread."""
        self._kept.discard(kept)
        if not self._kept:
            self._forget()
            self._stirred.set()
            await asyncio.to_thread(self._thread.join)

    def tell(self, kept: Kept, listener: Callable[..., None], *facts: object) -> None:
        """Call this on the loop of the workers, unless it was left."""
        if kept in self._kept:
            self._call(listener, *facts)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            renewer = self._store.renewer()
            try:
                while self._kept and not self._loop.is_closed():
                    self._look(runner, renewer)
                    self._stirred.wait(min([_LAG_WARNING, *(each.period for each in self._kept.copy())]))
                    self._stirred.clear()
            finally:
                self._forget()
                runner.run(renewer.close())

    def _forget(self) -> None:
        """Whoever comes next gets another thread."""
        key = (id(self._loop), id(self._store))
        if _threads.get(key) is self:
            del _threads[key]

    def _look(self, runner: asyncio.Runner, renewer: Renewer) -> None:
        try:
            self._watch_loop()
            due = [(each, locks) for each in self._kept.copy() if (locks := each.due())]
            if due:
                # At the same time: what many queues hold goes out in one go, however far the server is.
                runner.run(_renew_all(due, renewer))
        except Exception:
            # The thread must live as long as its workers, whatever happens.
            _logger.exception("renewing locks failed")

    def _watch_loop(self) -> None:
        now = time.monotonic()
        if self._pinged_at is None:
            self._pinged_at = now
            self._call(self._answer_ping)
        elif now - self._pinged_at > self._warn_after:
            # One that stays blocked is told of more and more rarely.
            self._warn_after *= 2
            job = self.last.record
            _logger.warning(
                "a handler blocks the event loop (begun last: %s); use `def` or await more often",
                job.name if job else "none",
                extra={
                    "queue": job.queue.name if job else "",
                    "job_name": job.name if job else "",
                    "seconds": round(now - self._pinged_at, 1),
                },
            )

    def _answer_ping(self) -> None:
        self._pinged_at, self._warn_after = None, _LAG_WARNING

    def _call(self, listener: Callable[..., None], *facts: object) -> None:
        # A loop that is closed, or closes at this moment, has nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(listener, *facts)


async def _renew_all(due: Sequence[tuple[Kept, Sequence[Any]]], renewer: Renewer) -> None:
    outcomes = await asyncio.gather(
        *(each.renew(locks, renewer) for each, locks in due), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            _logger.error("renewing locks failed", exc_info=outcome)


# As long as a thread is in here, it holds both objects, so that nothing else can get their ids.
_threads: dict[tuple[int, int], LockThread] = {}


def lock_thread(store: Store) -> LockThread:
    """The thread of the running loop for this store."""
    loop = asyncio.get_running_loop()
    thread = _threads.get((id(loop), id(store)))
    if thread is None:
        thread = _threads[id(loop), id(store)] = LockThread(store, loop)
    return thread
