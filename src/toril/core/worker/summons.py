"""Word of cancelled jobs: heard at once on a connection of its own, or when locks are renewed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from toril.core.job import Job
from toril.core.worker.interrupts import Interrupts
from toril.core.worker.slots import Slots
from toril.errors import JobCancelled, StoreError
from toril.store.contract import Summons

# Seconds of one wait for word; it is followed by the next.
_WAIT = 10.0
# Pauses between tries when the server does not answer, in seconds; it is the feeder that complains.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
# Words that are remembered for jobs that are not here; most of them are for jobs that are gone.
_MOST_EARLY = 1000


class CancelHearer:
    """Ends the jobs that are cancelled while this worker has them.

    Args:
        slots: Where the jobs are.
        interrupts: By which handlers are told.
    """

    def __init__(self, slots: Slots, interrupts: Interrupts) -> None:
        self._slots = slots
        self._interrupts = interrupts
        # In the order in which they came.
        self._early: dict[tuple[str, str], None] = {}

    def cancel(self, id: str, token: str) -> None:
        """The job of this id that was taken with this token is cancelled.

        If it is not here it is gone, or word of it was quicker than the job itself.
        """
        job = self._slots.find(id, token)
        if job is not None:
            self._interrupts.end(job, self._slots.running.get(job), JobCancelled())
            return
        self._early[id, token] = None
        if len(self._early) > _MOST_EARLY:
            del self._early[next(iter(self._early))]

    def catch_up(self, jobs: Iterable[Job]) -> None:
        """Cancel those of the jobs, which were handed to the slots just now, that there was early word of."""
        for job in jobs if self._early else ():
            if (job.id, job.token) in self._early:
                self.cancel(job.id, job.token)

    async def listen(self, summons: Summons) -> None:
        """Hear of cancelled jobs, until cancelled."""
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
