"""What goes on as long as a worker lives, beside its jobs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from toril.core.worker.teller import Teller

_logger = logging.getLogger(__name__)

# Seconds until a duty that failed begins anew.
_FAULT_PAUSE = 1.0


class Duties:
    """Tasks that go on until they are ended; a fault that stops one must not stop the rest."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, duty: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Keep up this duty from now on: it begins anew when it fails."""
        task = asyncio.create_task(self._keep_up(duty))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_up(self, duty: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await duty()
            except Exception as error:
                queue = self._teller.queue.name
                _logger.critical("a duty of the worker failed", exc_info=error, extra={"queue": queue})
                self._teller.report(error)
                await asyncio.sleep(_FAULT_PAUSE)

    async def end(self, *tasks: asyncio.Task[None]) -> None:
        """End these duties, or all of them, and wait for that."""
        ending = tasks or tuple(self._tasks)
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
