"""Keeping the locks of running jobs: in a thread, so that handlers that block the loop keep theirs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from toril.core.worker.settings import Settings
from toril.errors import StoreError
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.store.contract import Renewer, Store

_logger = logging.getLogger(__name__)

# A loop that does not answer for so many seconds is reported, with the job that it was given last.
_LAG_WARNING = 1.0


@dataclass(slots=True)
class _Held:
    token: str
    renewed_at: float


class LockKeeper:
    """Renews the locks of the jobs it is told of.

    Args:
        lost: Called on the loop with the id of a job whose lock is lost.
        cancelled: Called on the loop with the id and the token of a job that somebody has cancelled.
        failed: Called on the loop with an error, when locks could not be renewed.

    Attributes:
        running: The job that was started last, for reports of a blocked loop.
    """

    def __init__(
        self,
        store: Store,
        queue: QueueRef,
        settings: Settings,
        lost: Callable[[str], None],
        cancelled: Callable[[str, str], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._lock_ms = settings.lock_ms
        self._due = settings.renew_ms / 2000
        self._lost = lost
        self._cancelled = cancelled
        self._failed = failed
        self._held: dict[str, _Held] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pinged_at: float | None = None
        self._warn_after = _LAG_WARNING
        self.running: JobRecord | None = None

    def hold(self, id: str, token: str) -> None:
        """Keep the lock of this job from now on."""
        self._held[id] = _Held(token, time.monotonic())

    def release(self, id: str, token: str) -> None:
        """The job is settled, or not ours any more; one taken anew with another token is kept."""
        held = self._held.get(id)
        if held is not None and held.token == token:
            self._held.pop(id, None)

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
                try:
                    self._watch_loop()
                    self._renew(renewer)
                except StoreError as error:
                    self._tell(self._failed, error)
                except Exception:
                    # The thread must live as long as its worker, whatever happens.
                    _logger.exception("renewing locks failed", extra={"queue": self._queue.name})
        finally:
            renewer.close()

    def _renew(self, renewer: Renewer) -> None:
        now = time.monotonic()
        due = [(id, held) for id, held in self._held.copy().items() if now - held.renewed_at >= self._due]
        if not due:
            return
        locks = [(id, held.token) for id, held in due]
        renewed = renewer.renew(self._queue, locks, self._lock_ms)
        lost, cancelled = set(renewed.lost), set(renewed.cancelled)
        for id, held in due:
            held.renewed_at = now
            if id in cancelled:
                self._tell(self._cancelled, id, held.token)
            # A job that was settled meanwhile has lost nothing. What is lost is told once, and let go.
            if id in lost and self._held.get(id) is held:
                self.release(id, held.token)
                self._tell(self._lost, id)

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
                    "queue": self._queue.name,
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
