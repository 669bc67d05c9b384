"""How measures of ``toril worker`` are made: all cores, and what a process of its own costs a job."""

from __future__ import annotations

from statistics import median

from benchmarks.bench import Turn
from benchmarks.delivery import check_worked
from benchmarks.figures import Sample
from benchmarks.process import running


async def served(turn: Turn) -> Sample:
    """Run jobs that compute, in turns with plain processes that compute as much, at the same time."""
    seconds, alone, part = await _both_ways(turn)
    efficiency = median(theirs / ours for ours, theirs in zip(seconds, alone, strict=True))
    return turn.sample({"rate": part / median(seconds), "efficiency": efficiency})


async def isolated(turn: Turn) -> Sample:
    """Run jobs one after the other in a child process, in turns with such as run on the loop."""
    seconds, plain, part = await _both_ways(turn)
    cost = median(ours - theirs for ours, theirs in zip(seconds, plain, strict=True)) / part
    return turn.sample({"rate": part / median(seconds), "cost_ms": cost * 1000})


async def _both_ways(turn: Turn) -> tuple[list[float], list[float], int]:
    """Seconds of each part, in the one way and the other, and how many jobs a part has."""
    async with running(turn.system) as child:
        await child.prepare(turn.order)
        result = await child.go()
    check_worked(turn.name, result, result["added"])
    first, second = (result["took"][way] for way in turn.order.ways)
    return first, second, result["part"]
