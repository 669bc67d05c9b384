"""Keeping the locks of running jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from toril.core.worker.lock_thread import LastJob, LockThread, lock_thread
from toril.core.worker.settings import Settings
from toril.errors import StoreError
from toril.model.names import QueueRef
from toril.store.contract import Renewer, Store


class _Held(msgspec.Struct):
    token: str
    renewed_at: float


Due = Sequence[tuple[str, _Held]]


class Locks:
    """The locks of a worker's jobs of one queue.

    Args:
        lost: Called on the loop with the id of a job whose lock is lost.
        cancelled: Called on the loop with the id and the token of a job that somebody has cancelled.
        failed: Called on the loop with an error, when locks could not be renewed.
    """

    def __init__(
        self,
        queue: QueueRef,
        lost: Callable[[str], None],
        cancelled: Callable[[str, str], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.queue = queue
        self.lost = lost
        self.cancelled = cancelled
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

    def release_all(self) -> None:
        """Keep none of them any more."""
        self._held.clear()

    def due(self, after: float) -> Due:
        """The locks that were not renewed for so many seconds."""
        latest = time.monotonic() - after
        return [(id, held) for id, held in self._held.copy().items() if held.renewed_at <= latest]

    async def renew(
        self, due: Due, renewer: Renewer, lock_ms: int
    ) -> tuple[list[str], list[tuple[str, str]]]:
        """Renew those.

        Returns:
            The jobs that are lost, once each; and those that are cancelled, with their tokens.
        """
        now = time.monotonic()
        renewed = await renewer.renew(self.queue, [(id, held.token) for id, held in due], lock_ms)
        lost, cancelled = set(renewed.lost), set(renewed.cancelled)
        gone: list[str] = []
        for id, held in due:
            held.renewed_at = now
            # A job that was settled meanwhile has lost nothing.
            if id in lost and self._held.get(id) is held:
                self.release(id, held.token)
                gone.append(id)
        return gone, [(id, held.token) for id, held in due if id in cancelled]


class LockKeeper:
    """Has the locks of a worker's jobs renewed, of all its queues, in a thread that it shares with others.

    Attributes:
        period: Seconds until a lock is due, and between looks at that.
        last: Told the job that was started last, for reports of a blocked loop.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._lock_ms = settings.lock_ms
        self.period: float = settings.renew_ms / 2000
        self._queues: list[Locks] = []
        self._thread: LockThread | None = None
        self.last: LastJob = LastJob()

    def of(
        self,
        queue: QueueRef,
        lost: Callable[[str], None],
        cancelled: Callable[[str, str], None],
        failed: Callable[[BaseException], None],
    ) -> Locks:
        """The locks of one queue, to be named before the start; see ``Locks``."""
        locks = Locks(queue, lost, cancelled, failed)
        self._queues.append(locks)
        return locks

    def start(self) -> None:
        """Keep the locks from now on."""
        self._thread = lock_thread(self._store)
        self._thread.join(self)
        self.last = self._thread.last

    async def stop(self) -> None:
        """Let go of all locks."""
        for locks in self._queues:
            locks.release_all()
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.leave(self)

    # --- in the thread ---

    def due(self) -> Sequence[tuple[Locks, Due]]:
        """The locks to be renewed now, of each queue that has any."""
        return [(locks, due) for locks in self._queues if (due := locks.due(self.period))]

    async def renew(self, due: Sequence[tuple[Locks, Due]], renewer: Renewer) -> None:
        """Renew those that are due."""
        await asyncio.gather(*(self._renew(locks, held, renewer) for locks, held in due))

    async def _renew(self, locks: Locks, due: Due, renewer: Renewer) -> None:
        try:
            lost, cancelled = await locks.renew(due, renewer, self._lock_ms)
            for id in lost:
                self._tell(locks.lost, id)
            for id, token in cancelled:
                self._tell(locks.cancelled, id, token)
        except StoreError as error:
            self._tell(locks.failed, error)

    def _tell(self, listener: Callable[..., None], *facts: object) -> None:
        if self._thread is not None:
            self._thread.tell(self, listener, *facts)
