"""How long a worker that closes waits for its running jobs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from toril.core.worker.feeder import Feeder
from toril.core.worker.slots import LAST_WORDS, Slots

# Seconds between looks at how a worker that closes gets on.
_LOOK = 0.25
#: A server that is silent for so many seconds does not keep a worker from closing.
SILENCE = 10.0
# The same for a worker that has nothing to settle, or whose time is over.
_SHORT_SILENCE = 1.0


class Closing:
    """A deadline that may come nearer while it is waited for."""

    def __init__(self) -> None:
        self._deadline: float | None = None
        self._hurried = asyncio.Event()

    def hurry(self, seconds: float) -> None:
        """Wait no longer than so many seconds from now."""
        deadline = asyncio.get_running_loop().time() + seconds
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._hurried.set()

    async def let_finish(self, feeders: Sequence[Feeder], slots: Slots) -> None:
        """Wait until all running jobs are settled, or it is too late."""
        idle = asyncio.ensure_future(all_idle(feeders))
        try:
            while not idle.done():
                await self._wait(idle)
                if self._is_late() or (not slots.running and self._is_given_up(feeders)):
                    break
        finally:
            idle.cancel()

    async def see_out(self, task: asyncio.Task[None]) -> None:
        """Wait for a task that is the user's. When it is late, it has some seconds, then it is cancelled."""
        while not (task.done() or self._is_late()):
            await self._wait(task)
        if not task.done():
            await asyncio.wait([task], timeout=LAST_WORDS)
            task.cancel()
            await asyncio.wait([task], timeout=LAST_WORDS)

    async def let_settle(self, feeders: Sequence[Feeder]) -> None:
        """Wait until nothing is left to settle, or the server is given up."""
        idle = asyncio.ensure_future(all_idle(feeders))
        end = time.monotonic() + SILENCE
        try:
            while not idle.done():
                await asyncio.wait([idle], timeout=_LOOK)
                if self._is_given_up(feeders) or time.monotonic() >= end:
                    break
        finally:
            idle.cancel()

    def _is_given_up(self, feeders: Sequence[Feeder]) -> bool:
        """Whether the server has been silent for longer than it is waited for.

        In a cluster one node may be silent alone: what others are to settle is waited for.
        """
        deaf_since = [feeder.deaf_since for feeder in feeders if feeder.deaf_since is not None]
        if any(feeder.unsettled for feeder in feeders if feeder.deaf_since is None):
            return False
        may_settle = any(feeder.unsettled for feeder in feeders) and not self._is_late()
        patience = SILENCE if may_settle else _SHORT_SILENCE
        return bool(deaf_since) and time.monotonic() - min(deaf_since) > patience

    async def _wait(self, idle: asyncio.Future[None]) -> None:
        self._hurried.clear()
        left = _LOOK
        if self._deadline is not None:
            left = min(max(self._deadline - asyncio.get_running_loop().time(), 0), _LOOK)
        hurried = asyncio.ensure_future(self._hurried.wait())
        await asyncio.wait([idle, hurried], timeout=left, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()

    def _is_late(self) -> bool:
        return self._deadline is not None and asyncio.get_running_loop().time() >= self._deadline


async def all_idle(feeders: Sequence[Feeder]) -> None:
    """Wait until none of them has anything left to settle."""
    for feeder in feeders:
        await feeder.idle()
