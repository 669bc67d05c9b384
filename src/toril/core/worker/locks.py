"""Keeping the locks of running jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toril.core.worker.lock_thread import LastJob, LockThread, lock_thread
from toril.core.worker.settings import Settings
from toril.errors import StoreError
from toril.model.names import QueueRef
from toril.store.contract import Renewer, Store


@dataclass(slots=True)
class _Held:
    token: str
    renewed_at: float


class LockKeeper:
    """Has the locks of the jobs it is told of renewed, in a thread that it shares with other workers.

    Args:
        lost: Called on the loop with the id of a job whose lock is lost.
        failed: Called on the loop with an error, when locks could not be renewed.

    Attributes:
        period: Seconds until a lock is due, and between looks at that.
        last: Told the job that was started last, for reports of a blocked loop.
    """

    def __init__(
        self,
        store: Store,
        queue: QueueRef,
        settings: Settings,
        lost: Callable[[str], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._queue = queue
        self._lock_ms = settings.lock_ms
        self.period: float = settings.renew_ms / 2000
        self._lost = lost
        self._failed = failed
        self._held: dict[str, _Held] = {}
        self._thread: LockThread | None = None
        self.last: LastJob = LastJob()

    def hold(self, id: str, token: str) -> None:
        """Keep the lock of this job from now on."""
        self._held[id] = _Held(token, time.monotonic())

    def release(self, id: str, token: str) -> None:
        """The job is settled, or not ours any more; one taken anew with another token is kept."""
        held = self._held.get(id)
        if held is not None and held.token == token:
            self._held.pop(id, None)

    def start(self) -> None:
        """Keep the locks from now on."""
        self._thread = lock_thread(self._store)
        self._thread.join(self)
        self.last = self._thread.last

    async def stop(self) -> None:
        """Let go of all locks."""
        self._held.clear()
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.leave(self)

    # --- in the thread ---

    def due(self) -> Sequence[tuple[str, _Held]]:
        """The locks to be renewed now."""
        latest = time.monotonic() - self.period
        return [(id, held) for id, held in self._held.copy().items() if held.renewed_at <= latest]

    async def renew(self, due: Sequence[tuple[str, _Held]], renewer: Renewer) -> None:
        """Renew those that are due."""
        now = time.monotonic()
        try:
            locks = [(id, held.token) for id, held in due]
            lost = set(await renewer.renew(self._queue, locks, self._lock_ms))
        except StoreError as error:
            self._tell(self._failed, error)
            return
        for id, held in due:
            held.renewed_at = now
            # A job that was settled meanwhile has lost nothing. What is lost is told once, and let go.
            if id in lost and self._held.get(id) is held:
                self.release(id, held.token)
                self._tell(self._lost, id)

    def _tell(self, listener: Callable[..., None], *facts: object) -> None:
        if self._thread is not None:
            self._thread.tell(self, listener, *facts)
