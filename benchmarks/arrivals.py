"""Jobs that arrive when they are planned, whether or not those before them were taken care of.

Who waits for one add before the next stops asking just when a system is slow, and so does not see it. Here an
arrival counts from the instant that was planned for it, even if the producer itself comes too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from time import sleep

from benchmarks.child import wall_us

# What is done with the number of an arrival, and the instant planned for it.
Arrive = Callable[[int, float], Coroutine[None, None, None]]

# Timers of event loops know milliseconds; a shorter wait would be a busy one, on a core that others need.
_SHORTEST = 0.001


async def arriving(pauses_ms: Sequence[float], arrive: Arrive) -> None:
    """Let jobs arrive on an event loop.

    Args:
        pauses_ms: Between arrivals, the first counted from now.
        arrive: Called with the number of each and the instant planned for it; awaited beside the others.
    """
    async with asyncio.TaskGroup() as group:
        for number, planned_us in enumerate(_planned(pauses_ms)):
            left = planned_us - wall_us()
            while left > 0:
                await asyncio.sleep(max(left / 1e6, _SHORTEST))
                left = planned_us - wall_us()
            group.create_task(arrive(number, planned_us))


def arriving_in_threads(
    pauses_ms: Sequence[float], arrive: Callable[[int, float], None], threads: int
) -> None:
    """As `arriving`, for calls that block: as many as there are threads can be under way."""
    plan = enumerate(_planned(pauses_ms))

    def follow() -> None:
        for number, planned_us in plan:
            sleep(max((planned_us - wall_us()) / 1e6, 0))
            arrive(number, planned_us)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(follow) for _ in range(threads)]:
            done.result()


def _planned(pauses_ms: Sequence[float]) -> list[float]:
    now_us = wall_us()
    return [now_us + after_ms * 1000 for after_ms in accumulate(pauses_ms)]
