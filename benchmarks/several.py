"""How the measures of two worker processes on one queue are made."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from benchmarks.bench import Turn, rates
from benchmarks.delivery import check_worked
from benchmarks.figures import Sample
from benchmarks.orders import QUEUE, WARM_QUEUE
from benchmarks.process import running

_WORKERS = 2
# Of the CPU jobs, so many are done in one process with no queue, to know what could be reached.
_ALONE = 0.25


async def two(turn: Turn) -> Sample:
    """Work off what waits, by two processes."""
    return turn.sample(await _by_two(turn))


async def cpu(turn: Turn) -> Sample:
    """Work off jobs that compute, by two processes, and compare with two processors that do nothing else."""
    alone = replace(turn.order, verb="burn", count=max(round(turn.order.count * _ALONE), 1))
    async with running(turn.system) as child:
        await child.prepare(alone)
        result = await child.go()
    values = await _by_two(turn)
    ideal = _WORKERS * alone.count / result["seconds"]
    return turn.sample({**values, "efficiency": values["rate"] / ideal})


async def _by_two(turn: Turn) -> dict[str, float]:
    added = await turn.fill(QUEUE, turn.order.count)
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(running(turn.system)) for _ in range(_WORKERS)]
        for child in children:
            # One after the other, since what they get warm with is not shared.
            if turn.order.warmup:
                await turn.fill(WARM_QUEUE, turn.order.warmup)
            await child.prepare(turn.order)
        before = turn.server.cpu_seconds()
        results = await asyncio.gather(*(child.go() for child in children))
        used = turn.server.cpu_seconds() - before
    check_worked(turn.name, together(results), added)
    seconds = max(result["seconds"] for result in results)
    return rates(seconds, sum(result["cpu"] for result in results), used, turn.order.count)


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """What several workers of one queue tell, as one."""
    ids = [id for result in results for id in result["ids"]]
    return {"ids": ids, "completed": max(result["completed"] for result in results)}
