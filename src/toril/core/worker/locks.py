"""Keeping the locks of running jobs: in a thread, so that handlers that block the loop keep theirs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from toril.core.worker.settings import Settings
from toril.errors import StoreError
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.store.contract import Renewer, Store

_logger = logging.getLogger(__name__)

# A loop that does not answer for so many seconds is reported, with the job that it was given last.
_LAG_WARNING = 1.0


class _Held(msgspec.Struct):
    token: str
    renewed_at: float


class Locks:
    """The locks of a worker's jobs of one queue.

    Args:
        lost: Called on the loop with the id of a job whose lock is lost.
        failed: Called on the loop with an error, when locks could not be renewed.
    """

    def __init__(
        self, queue: QueueRef, lost: Callable[[str], None], failed: Callable[[BaseException], None]
    ) -> None:
        self.queue = queue
        self.lost = lost
        self.failed = failed
        self._held: dict[str, _Held] = {}

    def hold(self, id: str, token: str) -> None:
        """Keep the lock of this job from now on."""
        self._held[id] = _Held(token, time.monotonic())

    def release(self, id: str, token: str) -> None:
        """The job is settled, or not ours any more; one taken anew with another token is kept."""
        held = self._held.get(id)
        if held is not None and held.token == token:
            self._held.pop(id, None)

    def renew(self, renewer: Renewer, lock_ms: int, after: float) -> list[str]:
        """Renew the locks that were not for so many seconds; answers the jobs that are lost, once each."""
        now = time.monotonic()
        due = [(id, held) for id, held in self._held.copy().items() if now - held.renewed_at >= after]
        if not due:
            return []
        lost = set(renewer.renew(self.queue, [(id, held.token) for id, held in due], lock_ms))
        gone: list[str] = []
        for id, held in due:
            held.renewed_at = now
            # A job that was settled meanwhile has lost nothing.
            if id in lost and self._held.get(id) is held:
                self.release(id, held.token)
                gone.append(id)
        return gone


class LockKeeper:
    """Renews the locks of a worker's jobs, of all its queues.

    Attributes:
        running: The job that was started last, for reports of a blocked loop.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._lock_ms = settings.lock_ms
        self._due = settings.renew_ms / 2000
        self._queues: list[Locks] = []
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pinged_at: float | None = None
        self._warn_after = _LAG_WARNING
        self.running: JobRecord | None = None

    def of(
        self, queue: QueueRef, lost: Callable[[str], None], failed: Callable[[BaseException], None]
    ) -> Locks:
        """The locks of one queue, to be named before the thread is started; see ``Locks``."""
        locks = Locks(queue, lost, failed)
        self._queues.append(locks)
        return locks

    def start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._keep, name="toril-locks", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Stop the thread, and wait for it."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join)

    def _keep(self) -> None:
        renewer = self._store.renewer()
        try:
            while not self._stop.wait(min(self._due, _LAG_WARNING)):
                self._watch_loop()
                for locks in self._queues:
                    self._renew(locks, renewer)
        finally:
            renewer.close()

    def _renew(self, locks: Locks, renewer: Renewer) -> None:
        try:
            for id in locks.renew(renewer, self._lock_ms, self._due):
                self._tell(locks.lost, id)
        except StoreError as error:
            self._tell(locks.failed, error)
        except Exception:
            # The thread must live as long as its worker, whatever happens.
            _logger.exception("renewing locks failed", extra={"queue": locks.queue.name})

    def _watch_loop(self) -> None:
        now = time.monotonic()
        if self._pinged_at is None:
            self._pinged_at = now
            self._tell(self._answer_ping)
        elif now - self._pinged_at > self._warn_after:
            # One that stays blocked is told of more and more rarely.
            self._warn_after *= 2
            _logger.warning(
                "a handler blocks the event loop; use `def` or await more often",
                extra={
                    "queue": self.running.queue.name if self.running else "",
                    "job_name": self.running.name if self.running else "",
                    "seconds": round(now - self._pinged_at, 1),
                },
            )

    def _answer_ping(self) -> None:
        self._pinged_at, self._warn_after = None, _LAG_WARNING

    def _tell(self, listener: Callable[..., None], *facts: object) -> None:
        if self._loop is None:
            return
        # A loop that is closed, or closes at this moment, has nobody left to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(listener, *facts)
