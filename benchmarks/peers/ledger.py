"""What the handlers of a worker saw: one ledger a process, since tasks are functions of modules."""

from __future__ import annotations

import asyncio
import time

from benchmarks.burn import burn
from benchmarks.child import wall_us
from benchmarks.orders import Order

# How long an I/O job waits, in seconds.
_IO_SECONDS = 0.01


class Ledger:
    """Notes of the jobs that began.

    Attributes:
        ids: In the order in which they began, if ids are noted.
        at_us: When each began first, if that is noted.
        seen: How many began.
        job: What they do besides, as in an order.
    """

    def __init__(self) -> None:
        self.open(Order(verb="work", url=""), 0, None)

    def open(self, order: Order, count: int, loop: asyncio.AbstractEventLoop | None) -> None:
        """Start anew; ``full`` is set in the loop when so many jobs began."""
        self.ids: list[str] = []
        self.at_us: dict[str, float] = {}
        self.seen = 0
        self.job = order.job
        self.full = asyncio.Event()
        self._stamps, self._notes = order.stamps, order.ledger
        self._count, self._loop = count, loop

    def see(self, id: str) -> None:
        """A handler began; it may do so in any thread."""
        if self._stamps:
            self.at_us.setdefault(id, wall_us())
        if self._notes:
            self.ids.append(id)
            seen = len(self.ids)
        else:
            self.seen += 1
            seen = self.seen
        if seen >= self._count and self._loop is not None:
            self._loop.call_soon_threadsafe(self.full.set)


#: The ledger of this process.
LEDGER = Ledger()


def handle(id: str, number: int) -> int:
    """What every job does where handlers block: note that it runs, and answer something worth keeping."""
    LEDGER.see(id)
    if LEDGER.job == "io":
        time.sleep(_IO_SECONDS)
    elif LEDGER.job == "cpu":
        burn()
    return number


async def handle_async(id: str, number: int) -> int:
    """As `handle`, on an event loop."""
    if LEDGER.job != "io":
        return handle(id, number)
    LEDGER.see(id)
    await asyncio.sleep(_IO_SECONDS)
    return number
