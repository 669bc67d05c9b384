"""One call of a feeder: what it carries, how much of that, and who hears what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from toril.core.worker.run import Settling
from toril.model.job import JobRecord
from toril.store.values import Claim, Finish

#: Jobs in one call: enough to share its cost, and below 3 ms of the server's time.
MOST_A_CALL = 50
# Bytes of results in one call, about; a server takes half a gigabyte at most.
_HEAVIEST_CALL = 1_000_000


class Fed(Protocol):
    """Who gets the jobs that the feeder takes, and hears what became of those it settled."""

    @property
    def behind(self) -> bool: ...
    @property
    def running(self) -> int: ...
    def start_jobs(self, records: Sequence[JobRecord]) -> None: ...
    def settled(self, settling: Settling, answer: Any) -> None: ...
    def unsettled(self, settling: Settling) -> None: ...
    def report(self, error: BaseException) -> None: ...
    def drained(self) -> None: ...


class Call(msgspec.Struct):
    """One call to the store, kept until it is answered."""

    settlings: Sequence[Settling]
    claim: Claim | None
    at_ms: int
    words: int = 0
    again: bool = False


def take_load(done: deque[Settling], most: int) -> list[Settling]:
    """Take as many settlements from the front as one call carries."""
    settlings: list[Settling] = []
    weight = 0
    for _ in range(min(len(done), most)):
        settling = done.popleft()
        settlings.append(settling)
        if isinstance(settling.settlement, Finish):
            weight += len(settling.settlement.value)
            if weight >= _HEAVIEST_CALL:
                break
    return settlings
