"""What a system takes when little happens: a worker's memory, time to boot, commands of an idle worker."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace

from benchmarks.bench import Turn
from benchmarks.child import wall_us
from benchmarks.delivery import check_counted, check_worked
from benchmarks.figures import Sample
from benchmarks.makers import SETTLING
from benchmarks.orders import QUEUE
from benchmarks.process import MeasureError, running
from benchmarks.systems import ROOT, System

_PYTHON = "from time import perf_counter as now; began = now(); {}; print((now() - began) * 1000)"
# Node finds packages from the folder of a file, and reads modules that are ES modules with `import`.
_NODE = (
    'const {{ createRequire }} = require("node:module"); const began = performance.now();'
    'createRequire("{root}/tests/interop/package.json")("{name}"); console.log(performance.now() - began)'
)
# Seconds for an import, at most.
_PATIENCE = 60


async def rss(turn: Turn) -> Sample:
    """Memory of a worker process that has done nothing, and after some jobs."""
    order = turn.order
    async with running(turn.system) as worker:
        await worker.prepare(order)
        working = asyncio.create_task(worker.go())
        await asyncio.sleep(SETTLING)
        idle = worker.resident_mb()
        # They begin at once, so how many wait can't be checked, and the producer is another process.
        async with running(turn.system) as producer:
            await producer.prepare(replace(order, verb="add", mode="fill"))
            await producer.go()
        result = await working
        after = worker.resident_mb()
    check_counted(turn.name, result, order.count)
    return turn.sample({"idle_mb": idle, "more_mb": after - idle})


async def import_time(turn: Turn) -> Sample:
    """Milliseconds for the import that a program begins with, in a new process."""
    return turn.sample({"import_ms": await asyncio.to_thread(timed_import, turn.system)})


def timed_import(system: System) -> float:
    """Milliseconds for an import.

    Raises:
        MeasureError: It failed.
    """
    if system.is_node:
        said = ["-e", _NODE.format(root=ROOT, name=system.imports)]
    else:
        said = ["-c", _PYTHON.format(system.imports)]
    done = subprocess.run(
        [system.program(), *said], capture_output=True, text=True, timeout=_PATIENCE, cwd=ROOT, check=False
    )
    if done.returncode:
        raise MeasureError(f"{system.name} can't be imported: {done.stderr.strip()[-2000:]}")
    return float(done.stdout)


async def boot(turn: Turn) -> Sample:
    """Milliseconds from the start of a worker's process until it runs the job that waits."""
    added = await turn.fill(QUEUE, turn.order.count)
    began_us = wall_us()
    async with running(turn.system) as worker:
        await worker.prepare(turn.order)
        result = await worker.go()
    check_worked(turn.name, result, added)
    return turn.sample({"boot_ms": (min(result["at_us"].values()) - began_us) / 1000})


async def idle(turn: Turn) -> Sample:
    """Commands a minute of a worker that has nothing to do, those of its scripts included."""
    async with running(turn.system) as worker:
        await worker.prepare(turn.order)
        working = asyncio.create_task(worker.go())
        await asyncio.sleep(SETTLING)
        before = turn.server.commands()
        await asyncio.sleep(turn.measure.seconds)
        after = turn.server.commands()
        # One job ends it.
        await turn.filler.prepare(replace(turn.order, verb="add", mode="fill"))
        await turn.filler.go()
        check_counted(turn.name, await working, turn.order.count)
    more = sum(after.values()) - sum(before.values())
    return turn.sample({"commands": more / turn.measure.seconds * 60})
