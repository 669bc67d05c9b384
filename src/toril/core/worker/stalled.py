"""The look for jobs whose worker is gone, and for schedules without a job, from time to time."""

from __future__ import annotations

import asyncio

from toril.core.worker.schedules import Schedules
from toril.core.worker.settings import Settings
from toril.core.worker.teller import Teller
from toril.errors import StoreError
from toril.store.contract import Store


class Rescue:
    """Finds what was lost in a queue."""

    def __init__(self, store: Store, settings: Settings, schedules: Schedules, teller: Teller) -> None:
        self._store = store
        self._most = settings.max_stalled_count
        self._interval_ms = settings.stalled_ms
        self._schedules = schedules
        self._teller = teller

    async def jobs(self) -> list[str]:
        """Give back jobs whose worker is gone; answers the ids of those that wait again."""
        queue = self._teller.queue
        ids = await self._store.jobs.recover_stalled(queue, self._most, self._interval_ms)
        for id in ids:
            self._teller.signals.tell("stalled", id)
        return ids

    async def schedulers(self) -> list[str]:
        """See to schedulers whose next job is lost; answers the ids of those that have one again."""
        return await self._schedules.put_back(self._interval_ms)

    async def look(self) -> None:
        """Look at once, then each time the interval is over, until cancelled."""
        while True:
            try:
                if await self._store.jobs.may_be_lost(self._teller.queue):
                    await self.jobs()
                    await self.schedulers()
            except StoreError as error:
                self._teller.report(error)
            await asyncio.sleep(self._interval_ms / 1000)
