"""One call of a feeder: what it carries, and how much of that."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from toril.core.worker.run import Settling
from toril.store.values import Claim, Finish

#: Jobs in one call: enough to share its cost, and below 3 ms of the server's time.
MOST_A_CALL = 50
# Bytes of results in one call, about; a server takes half a gigabyte at most.
_HEAVIEST_CALL = 1_000_000


@dataclass(slots=True)
class Call:
    """One call to the store, kept until it is answered."""

    settlings: list[Settling]
    claim: Claim | None
    at_ms: int
    words: int = 0
    again: bool = False


def take_load(done: deque[Settling]) -> list[Settling]:
    """Take as many settlements from the front as one call carries."""
    settlings: list[Settling] = []
    weight = 0
    while done and len(settlings) < MOST_A_CALL and weight < _HEAVIEST_CALL:
        settlings.append(done.popleft())
        weight += _weight(settlings[-1])
    return settlings


def _weight(settling: Settling) -> int:
    settlement = settling.settlement
    return len(settlement.value) if isinstance(settlement, Finish) else 0
