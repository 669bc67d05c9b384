"""A timer that can be set anew and stopped: what is to be done then is said once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls a function of no arguments at the time it was last set to.

    Args:
        ring: Called on the event loop.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Ring so many seconds from now, and at no time set before."""
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._rings)

    def set_later(self, seconds: float) -> None:
        """Ring so many seconds from now, unless it will ring later anyway."""
        ends = asyncio.get_running_loop().time() + seconds
        if self._timer is None or ends > self._timer.when():
            self.set(seconds)

    def stop(self) -> None:
        """Don't ring any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rings(self) -> None:
        self._timer = None
        self._ring()
