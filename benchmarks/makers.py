"""How the measures that all systems know are made: adding, draining, latencies, memory."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

from benchmarks.bench import Turn, rates
from benchmarks.delivery import check_added, check_worked
from benchmarks.figures import Sample, percentile
from benchmarks.measure import LATENCY_WARMUP
from benchmarks.orders import QUEUE, WARM_QUEUE
from benchmarks.process import MeasureError, running

# Seconds in which a worker that was started gets idle.
SETTLING = 0.5
# Spaced adds wait so many ms; a worker is idle again before the next.
_PAUSE_MS = (5.0, 20.0)
_PERCENTILES = (50, 95, 99)
# Of what a system can run, so much arrives; of what arrives, so much comes first and is not counted.
_LOAD, _LOAD_WARMUP = 0.5, 0.2


async def add(turn: Turn) -> Sample:
    """Add jobs in one of the ways there are."""
    async with running(turn.system) as child:
        await child.prepare(turn.order)
        result, used = await turn.timed(child)
    check_added(turn.name, result, turn.order.count)
    return turn.sample(rates(result["seconds"], result["cpu"], used, turn.order.count))


async def drain(turn: Turn) -> Sample:
    """Work off what waits, by one process."""
    added = await turn.fill_both()
    async with running(turn.system) as child:
        await child.prepare(turn.order)
        result, used = await turn.timed(child)
    check_worked(turn.name, result, added)
    return turn.sample(rates(result["seconds"], result["cpu"], used, turn.order.count))


async def latency(turn: Turn) -> Sample:
    """From the beginning of an add to the start of the handler, on an idle worker."""
    added, worked = await spaced(turn, "spaced", pauses(turn.order.count, turn.round))
    return waits(turn, added["at_us"], worked["at_us"])


async def result(turn: Turn) -> Sample:
    """From the beginning of an add until the result is there, on an idle worker."""
    added, _ = await spaced(turn, "await", pauses(turn.order.count, turn.round))
    return waits(turn, added["at_us"], added["done_us"])


async def load(turn: Turn) -> Sample:
    """From the instant planned for an add to the start of the handler, while half of what can be run arrives.

    What can be run is what this system drains just before.
    """
    unstamped = replace(turn.measure, order=replace(turn.order, stamps=False))
    drained = await drain(replace(turn, measure=unstamped))
    turn.server.reset()
    per_second = drained.values["rate"] * _LOAD
    planned = arrivals(per_second, turn.measure.seconds, turn.round)
    added, worked = await spaced(turn, "arriving", planned)
    sample = waits(turn, added["at_us"], worked["at_us"], skip=round(len(planned) * _LOAD_WARMUP))
    return replace(sample, values={**sample.values, "per_second": per_second})


async def spaced(turn: Turn, mode: str, pauses_ms: list[float]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Add jobs at certain times beside a worker; answers what the producer and the worker tell."""
    order = replace(turn.order, count=len(pauses_ms))
    await turn.fill(WARM_QUEUE, order.warmup)
    adding = replace(order, verb="add", mode=mode, warmup=0, pauses_ms=pauses_ms)
    async with running(turn.system) as worker, running(turn.system) as producer:
        await worker.prepare(order)
        await producer.prepare(adding)
        working = asyncio.create_task(worker.go())
        await asyncio.sleep(SETTLING)
        added = await producer.go()
        worked = await working
    # The last jobs may have begun already, so how many wait is not asked.
    check_worked(turn.name, worked, added["ids"])
    return added, worked


def waits(turn: Turn, began: dict[str, float], ended: dict[str, float], skip: int = LATENCY_WARMUP) -> Sample:
    """The times between two instants of each job."""
    took = [(ended[id] - at_us) / 1000 for id, at_us in began.items()][skip:]
    if min(took) < 0:
        raise MeasureError(f"{turn.name}: a job began before it was added; the clocks can't be compared")
    values = {f"p{percent}_ms": percentile(took, percent) for percent in _PERCENTILES}
    return turn.sample(values, [round(each, 4) for each in took])


async def memory(turn: Turn) -> Sample:
    """Bytes of the server for each job that waits."""
    # The first half pays for what a queue has once: its stream of events is at its bound, keys are there.
    count = turn.order.count
    await turn.fill(QUEUE, count)
    before = turn.server.memory()
    await turn.fill(QUEUE, count, waited=count)
    after = turn.server.memory()
    return turn.sample({name: (after[name] - before[name]) / count for name in before})


def pauses(count: int, seed: int) -> list[float]:
    """Waits between adds: scattered, the same for all systems in a round."""
    dice = random.Random(seed)
    return [round(dice.uniform(*_PAUSE_MS), 3) for _ in range(count)]


def arrivals(per_second: float, seconds: float, seed: int) -> list[float]:
    """Times in ms between arrivals that know nothing of each other, for so many seconds."""
    dice = random.Random(seed)
    return [dice.expovariate(per_second / 1000) for _ in range(max(round(per_second * seconds), 2))]
