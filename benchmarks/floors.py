"""What toril promises, as ratios to BullMQ for Node."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Floor:
    """What toril promises of a measure, as a ratio of its value to the other system's.

    Attributes:
        measure: Key of the measure; of a whole group, if only the best of each system counts.
        value: Name of the value.
        ratio: The promised ratio.
        at_least: Whether the ratio may not be smaller; else it may not be larger.
    """

    measure: str
    value: str
    title: str
    ratio: float
    at_least: bool

    def holds(self, ratio: float) -> bool:
        """Whether a ratio keeps the promise, by the digits that are shown of it."""
        shown = round(ratio, 2)
        return shown >= self.ratio if self.at_least else shown <= self.ratio

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.ratio:g}"


#: Against BullMQ for Node.
FLOORS = (
    Floor("drain", "rate", "drain by one process, best concurrency, jobs/s", 1.2, True),
    Floor("add-concurrent", "rate", "add by 100 callers, jobs/s", 2.0, True),
    Floor("add-bulk", "rate", "add in bulk, jobs/s", 2.0, True),
    Floor("latency", "p50_ms", "idle, add to start, p50, ms", 1.0, False),
    Floor("memory", "data", "memory per waiting job, bytes", 1.0, False),
)
