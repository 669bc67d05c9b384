"""When a worker that closes gives up a server, as seen from its queues."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import cast

from toril.core.worker.closing import Closing
from toril.core.worker.feeder import Feeder

# Longer than any silence that is waited for.
LONG = 3600.0


def feeder(*, unsettled: int, deaf: bool, settles: float = LONG) -> Feeder:
    """One whose jobs are settled after so many seconds."""
    fake = SimpleNamespace(unsettled=unsettled, deaf_since=time.monotonic() - LONG if deaf else None)

    async def idle() -> None:
        await asyncio.sleep(settles if fake.unsettled else 0)
        fake.unsettled = 0

    fake.idle = idle
    return cast("Feeder", fake)


async def test_a_node_that_is_silent_costs_the_jobs_of_others_nothing() -> None:
    silent, slow = feeder(unsettled=1, deaf=True), feeder(unsettled=1, deaf=False, settles=0.6)

    settling = asyncio.ensure_future(slow.idle())
    async with asyncio.timeout(5):
        await Closing().let_settle([silent, slow])

    assert (silent.unsettled, slow.unsettled) == (1, 0)
    await settling


async def test_when_all_that_is_left_is_silent_it_is_given_up() -> None:
    async with asyncio.timeout(5):
        await Closing().let_settle([feeder(unsettled=1, deaf=True), feeder(unsettled=0, deaf=False)])
