"""How the further measures are made: several workers, failures, flows, delays, growth."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from benchmarks.bench import Turn, rates
from benchmarks.delivery import check_failed, check_partly_worked, check_worked
from benchmarks.figures import Sample
from benchmarks.makers import SETTLING, waits
from benchmarks.orders import QUEUE, WARM_QUEUE
from benchmarks.process import MeasureError, running

_WORKERS = 2
# Milliseconds until the first delayed job is due: for the adds, of which so many a second are expected.
_LEAD_MS, _ADDS_A_SECOND = 2_000, 4_000


async def two(turn: Turn) -> Sample:
    """Work off what waits, by two processes."""
    added = await turn.fill(QUEUE, turn.order.count)
    async with AsyncExitStack() as stack:
        children = [await stack.enter_async_context(running(turn.system)) for _ in range(_WORKERS)]
        for child in children:
            # One after the other, since what they get warm with is not shared.
            await turn.fill(WARM_QUEUE, turn.order.warmup)
            await child.prepare(turn.order)
        before = turn.server.cpu_seconds()
        results = await asyncio.gather(*(child.go() for child in children))
        used = turn.server.cpu_seconds() - before
    check_worked(turn.name, together(results), added)
    seconds = max(result["seconds"] for result in results)
    return turn.sample(rates(seconds, sum(result["cpu"] for result in results), used, turn.order.count))


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """What several workers of one queue tell, as one."""
    ids = [id for result in results for id in result["ids"]]
    return {"ids": ids, "completed": max(result["completed"] for result in results)}


async def fail(turn: Turn) -> Sample:
    """Jobs that fail, are retried at once, and fail for good."""
    added = await turn.fill_both()
    async with running(turn.system) as child:
        await child.prepare(turn.order)
        result, used = await turn.timed(child)
    check_failed(turn.name, result, added)
    return turn.sample(rates(result["seconds"], result["cpu"], used, turn.order.count))


async def flow(turn: Turn) -> Sample:
    """Add a parent with children, and run them all, in one process."""
    async with running(turn.system) as child:
        await child.prepare(turn.order)
        result, used = await turn.timed(child)
    check_worked(turn.name, result, result["added"])
    return turn.sample(rates(result["seconds"], result["cpu"], used, turn.order.count))


async def delayed(turn: Turn) -> Sample:
    """How late jobs begin that are due within one second."""
    order = turn.order
    await turn.fill(WARM_QUEUE, order.warmup)
    lead_ms = _LEAD_MS + round(order.count / _ADDS_A_SECOND * 1000)
    adding = replace(order, verb="add", mode="delayed", warmup=0, due_in_ms=lead_ms)
    async with running(turn.system) as worker, running(turn.system) as producer:
        await worker.prepare(order)
        await producer.prepare(adding)
        working = asyncio.create_task(worker.go())
        await asyncio.sleep(SETTLING)
        added = await producer.go()
        if added["seconds"] * 1000 > lead_ms:
            raise MeasureError(f"{turn.name}: the adds took so long that jobs were due meanwhile")
        worked = await working
    check_worked(turn.name, worked, added["ids"])
    return waits(turn, added["due_us"], worked["at_us"], skip=0)


async def growth(turn: Turn) -> Sample:
    """Work off some of many."""
    added = await turn.fill_both(more=turn.measure.waiting)
    async with running(turn.system) as child:
        await child.prepare(turn.order)
        result, used = await turn.timed(child)
    check_partly_worked(turn.name, result, added, turn.order.count)
    return turn.sample(rates(result["seconds"], result["cpu"], used, turn.order.count))
