"""The process that is counted: plays scenarios, and waits before and after each for whoever counts with it.

    python -m benchmarks.guard.program URL METER SCENARIO...

It writes a line of JSON when it is about to begin, `{"begins": name}`, and when it is through,
`{"ends": name, "units": jobs, "counts": {...}}`, and goes on when it is answered with a line. While it
waits nothing of it runs, so all counts, its own and those taken outside, are of the same work.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import Any

from benchmarks.guard.meters import METERS
from benchmarks.guard.scenarios import Scenario, choose

# Seconds until a scenario must have come to its end, under the slowest of meters.
_PATIENCE = 100.0


async def play(url: str, meter: str, scenario: Scenario) -> None:
    measuring = METERS[meter]()
    async with asyncio.timeout(_PATIENCE), scenario.play(url) as go:
        # When the collector would run depends on all that was allocated before.
        gc.collect()
        gc.disable()
        _tell({"begins": scenario.name})
        measuring.start()
        units = await go()
        counts = measuring.stop()
        _tell({"ends": scenario.name, "units": units, "counts": counts})
        gc.enable()


def _tell(message: dict[str, Any]) -> None:
    """Say it, and hold the whole loop until there is an answer."""
    print(json.dumps(message), flush=True)
    sys.stdin.readline()


async def main() -> None:
    url, meter, *names = sys.argv[1:]
    for scenario in choose(names):
        await play(url, meter, scenario)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
