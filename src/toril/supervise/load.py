"""How much processes have to do: what one sees of its workers, and what that comes to over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from toril import Worker
from toril.model.autoscale import Sample

# Looks at the slots of a worker for one sample.
_LOOKS = 10


async def load_of(worker: Worker, seconds: float) -> Sample:
    """What is seen of a worker in the course of some time.

    Returns:
        Which share of its slots was busy, from 0 to 1; and if all were, for how long the next job has waited.
    """
    shares: list[float] = []
    for _ in range(_LOOKS):
        await asyncio.sleep(seconds / _LOOKS)
        told = worker.status()
        shares.append(min(told.held / told.slots, 1.0))
    lag = await worker.lag() if max(shares) == 1 else 0.0
    # Between two jobs a slot is free for a moment, though the next one waits.
    return Sample(busy=1.0 if lag else sum(shares) / _LOOKS, lag=lag)


def together(loads: Sequence[Sequence[Sample]]) -> Sample:
    """What processes see together.

    Args:
        loads: Of each process the samples of its workers, in order; of one that has told none nothing is
            known: it may be just what is needed.

    Returns:
        How many processes the work would fill, and for how long jobs have waited that none of them takes.
    """
    known = [load for load in loads if load]
    unknown = len(loads) - len(known)
    workers = list(zip(*known, strict=True))
    busy = max((sum(sample.busy for sample in samples) for samples in workers), default=0)
    lag = max((min(sample.lag for sample in samples) for samples in workers), default=0)
    return Sample(busy=busy + unknown, lag=0 if unknown else lag)
