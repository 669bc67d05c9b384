"""How a worker is: what it tells of itself, in its process and in its queues."""

from __future__ import annotations

from datetime import datetime

import msgspec


class RunningJob(msgspec.Struct, frozen=True):
    """A job that a worker runs.

    Attributes:
        id: Of the job.
        name: Of the job.
        queue: Name of its queue.
        seconds: For how long it has run.
    """

    id: str
    name: str
    queue: str
    seconds: float


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker is, as it tells itself.

    Attributes:
        id: Of the worker, a new one each time it is made.
        name: As it was given; ``None`` if it has none.
        host: Name of its machine.
        pid: Of its process.
        version: Of toril.
        queues: Names of its queues.
        slots: How many jobs it runs at once.
        running: The jobs it runs, those that run longest first; of many, some.
        held: How many jobs it has taken and not settled yet.
        completed: Jobs that it completed since its start.
        failed: Attempts that failed in it since its start.
        rate: Jobs a second that came to an end, of late.
        last_error: What was raised last, by a job or beside them; ``None`` if nothing was.
        last_error_at: When that was.
        rss: Memory of its process, in bytes.
        loop_lag: Seconds by which its event loop was late at worst, of late.
        growth: If the memory of its process grows steadily: the names of jobs that seem to be responsible,
            with bytes for each of their jobs.
        health: As ``Worker.health``.
        started_at: When it was started; ``None`` if it wasn't yet.
        told_at: When all this was so.
    """

    id: str
    name: str | None
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    slots: int
    running: tuple[RunningJob, ...]
    held: int
    completed: int
    failed: int
    rate: float
    last_error: str | None
    last_error_at: datetime | None
    rss: int
    loop_lag: float
    growth: dict[str, int] = {}
    health: str
    started_at: datetime | None
    told_at: datetime
