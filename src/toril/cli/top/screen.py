"""A sample as a screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from toril.cli.output import STATE_COLUMNS, brief, table
from toril.cli.spans import shown
from toril.cli.top.sample import SHOWN, QueueSample, RunningJob, Sample

# A terminal of so many columns shows all of a queue; a narrower one the most important.
_WIDE = 130
_NARROW_STATES, _NARROW_RATES = ("active", "waiting", "delayed", "failed"), ("completed",)

_RATES = {"added": "ADD/s#", "completed": "DONE/s#", "failed": "FAIL/s#"}

# Seconds after which a running job is marked.
_LONG = 60

# Rows of the tables below the queues.
_JOBS, _WORKERS = 20, 10


def render(width: int, sample: Sample, problem: str | None = None) -> RenderableType:
    """The screen for a sample.

    Args:
        width: Columns of the terminal.
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
    parts += [Text(), _queue_table(sample, wide=width >= _WIDE)]
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


def _queue_table(sample: Sample, *, wide: bool) -> RenderableType:
    states = [state for state in STATE_COLUMNS if wide or state in _NARROW_STATES]
    rates = [rate for rate in _RATES if wide or rate in _NARROW_RATES]
    shares = SHOWN if wide else (95,)
    of = "/".join(map(str, shares))
    columns = (
        *("QUEUE", "WORKERS#", *(STATE_COLUMNS[state] for state in states)),
        *(*(_RATES[rate] for rate in rates), f"WAITED {of}%#", f"RAN {of}%#"),
    )
    rows = [
        [
            *(_name(queue), len(queue.workers), *(_count(queue, state) for state in states)),
            *(*(_rate(queue, rate) for rate in rates), _times(queue.wait, shares), _times(queue.run, shares)),
        ]
        for queue in sample.queues
    ]
    return table(columns, rows)


def _name(queue: QueueSample) -> Text:
    name = brief(queue.name)
    return Text(f"{name} (paused)", style="yellow") if queue.paused else Text(name)


def _count(queue: QueueSample, state: str) -> Text:
    count = queue.counts.get(state, 0)
    return Text(str(count), style="red" if count and state == "failed" else "")


def _rate(queue: QueueSample, rate: str) -> str:
    return f"{'>' if queue.partial else ''}{queue.rates[rate]:.1f}"


def _times(percentiles: Mapping[int, float], shares: Sequence[int]) -> str:
    return " ".join(shown(percentiles.get(share)) for share in shares)


def _job_row(job: RunningJob) -> list[object]:
    age = Text(shown(job.age), style="yellow" if job.age > _LONG else "")
    return [age, job.queue, job.id, job.name, job.worker, job.attempt]
