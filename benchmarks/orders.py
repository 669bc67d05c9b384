"""What the runner tells an adapter to do: the one kind of message that has fields."""

from __future__ import annotations

from dataclasses import dataclass, field

#: The queue that is measured, and the one on which an adapter gets warm before.
QUEUE, WARM_QUEUE = "bench", "bench-warm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One thing to do with one queue; the JSON of ``prepare``.

    Attributes:
        verb: ``add``, ``work``, ``flow``: add flows and run them, ``spread``: add to many queues and run all
            in one process, ``serve``: add, and have ``toril worker`` run them, or ``burn``: do what a
            ``cpu`` job does, with no queue.
        url: Of the server: ``unix:///path?db=0`` or ``redis://host:port/db``.
        queue: The queue that is measured.
        warm_queue: Another one, for getting warm: a worker finds jobs there, a producer adds some.
        count: How many jobs; a worker is through when it has settled so many.
        warmup: How many jobs in ``warm_queue``; 0 for none.
        mode: How to add: ``one`` after the other, by ``concurrent`` callers, in ``bulk``, ``spaced``,
            ``await`` (spaced, and the result awaited), ``arriving``: each when it is planned, done or not
            what was before, ``delayed``, or ``fill``: however it can.
        callers: How many callers add concurrently; each awaits its add before the next.
        chunk: Jobs in one bulk call; each call is awaited before the next.
        pauses_ms: Waits before each of the spaced adds, or between the arrivals.
        due_in_ms: Delayed jobs are due so long after the first add, evenly spread over ``due_over_ms``; all
            in the same millisecond if that is 0.
        priorities: The jobs have so many, in turns; 0 for none.
        payload: Bytes of a text that each job carries besides its number.
        queues: ``spread`` adds to so many in turns.
        children: Of each flow; ``count`` is a multiple of one more.
        concurrency: Jobs that the worker runs at once.
        processes: Of ``toril worker``, or those that burn at the same time.
        ways: Of ``serve``: where handlers run, or ``burn``; each does all the jobs, in turns.
        job: What a job does: ``noop``, ``read`` (looks at its payload), ``io`` (waits 10 ms), ``cpu``
            (computes for about 20 ms), or ``fail``, which is retried once, at once.
        stamps: Whether to note when each handler starts.
        ledger: Whether the ids of the jobs are noted and told; else how many it were.
        shared: Whether other workers serve the queue: it is through when the queue has settled so many.
    """

    verb: str
    url: str
    queue: str = QUEUE
    warm_queue: str = WARM_QUEUE
    count: int = 0
    warmup: int = 0
    mode: str = "fill"
    callers: int = 100
    chunk: int = 1000
    pauses_ms: list[float] = field(default_factory=list[float])
    due_in_ms: int = 0
    due_over_ms: int = 1000
    priorities: int = 0
    payload: int = 0
    queues: int = 1
    children: int = 0
    concurrency: int = 1
    processes: int = 1
    ways: list[str] = field(default_factory=list[str])
    job: str = "noop"
    stamps: bool = False
    ledger: bool = True
    shared: bool = False
