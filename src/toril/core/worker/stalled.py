"""The look for jobs whose worker is gone, and for schedules without a job, from time to time."""

from __future__ import annotations

import asyncio
from typing import Protocol

from toril.errors import StoreError


class Looker(Protocol):
    """Who gives back stalled jobs, puts back those of schedulers, and hears of errors."""

    async def check_stalled(self) -> list[str]: ...
    async def check_schedulers(self) -> list[str]: ...
    def report(self, error: BaseException) -> None: ...


async def look_for_stalled(worker: Looker, interval: float) -> None:
    """Look at once, then every ``interval`` seconds, until cancelled."""
    while True:
        try:
            await worker.check_stalled()
            await worker.check_schedulers()
        except StoreError as error:
            worker.report(error)
        await asyncio.sleep(interval)
