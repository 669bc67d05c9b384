"""A sample as a screen."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from toril.cli.output import brief, table
from toril.cli.spans import shown
from toril.cli.top.sample import QueueSample, RunningJob, Sample

_STATES = {
    "active": "ACTIVE#",
    "waiting": "WAIT#",
    "prioritized": "PRIO#",
    "delayed": "DELAYED#",
    "waiting-children": "CHILDREN#",
    "completed": "DONE#",
    "failed": "FAILED#",
}
_QUEUE_COLUMNS = (
    *("QUEUE", "WORKERS#", *_STATES.values(), "ADD/s#", "DONE/s#", "FAIL/s#"),
    *("WAITED 50/95/99%#", "RAN 50/95/99%#"),
)
_RATES = ("added", "completed", "failed")

# Seconds after which a running job is marked.
_LONG = 60

# Rows of the tables below the queues.
_JOBS, _WORKERS = 20, 10


def render(sample: Sample, problem: str | None = None) -> RenderableType:
    """The screen for a sample.

    Args:
        problem: Why there is no newer one.
    """
    workers = [worker for queue in sample.queues for worker in queue.workers]
    head = Text(
        f"toril top  {sample.at.astimezone():%H:%M:%S}  {len(sample.queues)} queues, {len(workers)} workers, "
        f"{sum(queue.counts.get('active', 0) for queue in sample.queues)} running; q leaves",
        style="bold",
    )
    parts: list[RenderableType] = [head]
    if problem is not None:
        parts.append(Text(brief(problem), style="bold red"))
    parts += [Text(), table(_QUEUE_COLUMNS, map(_queue_row, sample.queues))]
    if sample.running:
        columns = ("AGE#", "QUEUE", "JOB", "NAME", "WORKER", "ATTEMPT#")
        parts += [Text(), table(columns, map(_job_row, sample.running[:_JOBS]))]
    if workers:
        columns = ("WORKER", "QUEUE", "ADDRESS", "CONNECTED#", "IDLE#")
        rows = [
            (one["name"], one["queue"], one["address"], shown(one["age"]), shown(one["idle"]))
            for one in workers
        ]
        parts += [Text(), table(columns, rows[:_WORKERS])]
    return Group(*parts)


def _queue_row(queue: QueueSample) -> list[object]:
    name = Text(
        brief(queue.name) + (" (paused)" if queue.paused else ""), style="yellow" if queue.paused else ""
    )
    counts: list[object] = [queue.counts.get(state, 0) for state in _STATES]
    if queue.counts.get("failed"):
        counts[-1] = Text(str(queue.counts["failed"]), style="red")
    at_least = ">" if queue.partial else ""
    rates = [f"{at_least}{queue.rates[kind]:.1f}" for kind in _RATES]
    return [name, len(queue.workers), *counts, *rates, _times(queue.wait), _times(queue.run)]


def _times(percentiles: Mapping[int, float]) -> str:
    return " ".join(shown(seconds) for seconds in percentiles.values())


def _job_row(job: RunningJob) -> list[object]:
    age = Text(shown(job.age), style="yellow" if job.age > _LONG else "")
    return [age, job.queue, job.id, job.name, job.worker, job.attempt]
