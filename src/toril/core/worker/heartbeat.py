"""A worker's heartbeat: it tells how it is in its queues, from time to time, and says when it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec

from toril.errors import StoreError
from toril.model.names import QueueRef
from toril.model.worker_status import WorkerStatus
from toril.store.contract import Store

# A worker that has missed so many heartbeats is lost.
_MISSED = 3
# Seconds that a farewell may take.
_FAREWELL = 1.0


class Heartbeat:
    """Tells how a worker is, in one of its queues.

    Args:
        interval_ms: Time between two heartbeats.
        status: Says how the worker is.
    """

    def __init__(
        self, store: Store, queue: QueueRef, interval_ms: int, status: Callable[[], WorkerStatus]
    ) -> None:
        self._store = store
        self._queue = queue
        self._interval_ms = interval_ms
        self._status = status

    async def beat(self) -> None:
        """Tell it at once, then each time the interval is over, until cancelled."""
        while True:
            # That the server does not answer is told by those who need it more.
            with suppress(StoreError):
                await self._tell(_MISSED * self._interval_ms)
            await asyncio.sleep(self._interval_ms / 1000)

    async def farewell(self) -> None:
        """The worker leaves. If this is not heard it counts as lost."""
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._tell(0)

    async def _tell(self, ttl_ms: int) -> None:
        status = self._status()
        await self._store.queues.beat(self._queue, status.id, msgspec.json.encode(status), ttl_ms)
