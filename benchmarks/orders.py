"""What the runner tells an adapter to do: the one kind of message that has fields."""

from __future__ import annotations

from dataclasses import dataclass, field

#: The queue that is measured, and the one on which an adapter gets warm before.
QUEUE, WARM_QUEUE = "bench", "bench-warm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One thing to do with one queue; the JSON of ``prepare``.

    Attributes:
        verb: ``add`` or ``work``.
        url: Of the server: ``unix:///path?db=0`` or ``redis://host:port/db``.
        queue: The queue that is measured.
        warm_queue: Another one, for getting warm: a worker finds jobs there, a producer adds some.
        count: How many jobs; a worker is through when it has settled so many.
        warmup: How many jobs in ``warm_queue``; 0 for none.
        mode: How to add: ``one`` after the other, by ``concurrent`` callers, in ``bulk``, or ``spaced``.
        callers: How many callers add concurrently; each awaits its add before the next.
        chunk: Jobs in one bulk call; each call is awaited before the next.
        pauses_ms: Waits before each of the spaced adds.
        concurrency: Jobs that the worker runs at once.
        stamps: Whether to note when each handler starts.
    """

    verb: str
    url: str
    queue: str = QUEUE
    warm_queue: str = WARM_QUEUE
    count: int = 0
    warmup: int = 0
    mode: str = "bulk"
    callers: int = 100
    chunk: int = 1000
    pauses_ms: list[float] = field(default_factory=list[float])
    concurrency: int = 1
    stamps: bool = False
