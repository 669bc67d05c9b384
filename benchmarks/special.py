"""How the further measures are made: failures, flows, delays, many jobs that wait, many queues."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from benchmarks.bench import Turn, rates
from benchmarks.delivery import check_failed, check_partly_worked, check_worked
from benchmarks.figures import Sample
from benchmarks.makers import SETTLING, waits
from benchmarks.orders import WARM_QUEUE
from benchmarks.process import MeasureError, running

# Milliseconds until the first delayed job is due: for the adds, of which so many a second are expected.
_LEAD_MS, _ADDS_A_SECOND = 2_000, 4_000


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
    """How late jobs begin that are due soon one after the other, or at once."""
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


async def spread(turn: Turn) -> Sample:
    """Add to many queues and run all their jobs, in one process."""
    async with running(turn.system) as child:
        await child.prepare(turn.order)
        result, used = await turn.timed(child)
        most_mb = child.resident_mb(most=True)
    check_worked(turn.name, result, result["added"])
    values = rates(result["seconds"], result["cpu"], used, turn.order.count)
    return turn.sample({**values, "most_mb": most_mb})
