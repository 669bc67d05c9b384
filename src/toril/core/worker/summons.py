"""Word of cancelled jobs: heard at once on a connection of its own, or when locks are renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from toril.core.job import Job
from toril.core.worker.interrupts import Interrupts
from toril.core.worker.slots import Slots
from toril.errors import JobCancelled, StoreError
from toril.model.names import QueueRef
from toril.store.contract import Store

# Seconds of one wait for word; it is followed by the next.
_WAIT = 10.0
# Pauses between tries when the server does not answer, in seconds; it is the feeder that complains.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class CancelHearer:
    """Ends the jobs of a queue that are cancelled while this worker has them.

    Args:
        slots: Where the jobs are.
        interrupts: By which handlers are told.
        fail: Fails a job that was not begun yet.
    """

    def __init__(
        self, slots: Slots, interrupts: Interrupts, fail: Callable[[Job, BaseException], None]
    ) -> None:
        self._slots = slots
        self._interrupts = interrupts
        self._fail = fail

    def cancel(self, id: str, token: str) -> None:
        """The job of this id that was taken with this token is cancelled; if it is gone, all is well."""
        job = self._slots.find(id, token)
        if job is None:
            return
        if self._slots.withdraw(job):
            self._fail(job, JobCancelled())
        else:
            self._interrupts.end(job, self._slots.running[job], JobCancelled())

    async def listen(self, store: Store, queue: QueueRef, owner: str) -> None:
        """Hear of cancelled jobs whose tokens begin with ``owner``, until cancelled."""
        summons = store.summons(queue, owner)
        pause = _FIRST_PAUSE
        try:
            while True:
                try:
                    word = await summons.wait(_WAIT)
                    pause = _FIRST_PAUSE
                except StoreError:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                if word is not None:
                    token, id = word
                    self.cancel(id, token)
        finally:
            await summons.close()
