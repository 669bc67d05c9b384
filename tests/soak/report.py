"""The summary of a soak, as people read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.soak.campaign import Verdict
from tests.soak.excuses import Span
from tests.soak.judge import is_repeated, runs_of
from tests.soak.ledger import CUT, DONE, FAILED

# So many lines of what is wrong are shown.
_MOST_WRONG = 50
_WIDTH = 72


def summary(verdict: Verdict) -> str:
    """A table of what was counted, and what is wrong."""
    lines = [f"{label:.<{_WIDTH}} {count:>8}" for label, count in counts(verdict).items()]
    wrong = verdict.wrong
    if not wrong:
        return "\n".join([*lines, "Every job was done exactly once in effect, and none is lost."])
    more = [f"and {len(wrong) - _MOST_WRONG} more"] if len(wrong) > _MOST_WRONG else []
    when = [
        f"outages: {_spans(verdict.stage.excuses.outages)}",
        f"stops: {_spans(verdict.stage.excuses.stops)}",
    ]
    return "\n".join([*lines, f"{len(wrong)} things are wrong:", *wrong[:_MOST_WRONG], *more, *when])


def _spans(spans: Iterable[Span]) -> str:
    return ", ".join(f"{began:.3f} to {ended:.3f}" for began, ended in spans)


def counts(verdict: Verdict) -> dict[str, int]:
    """All that was counted."""
    return {**dict(_jobs(verdict)), **dict(_runs(verdict)), **dict(_troubles(verdict))}


def _jobs(verdict: Verdict) -> Iterator[tuple[str, int]]:
    found = verdict.evidence
    acknowledged = [promise for promise in found.promises if promise.task is not None]
    numbers = {job.n for job in found.completed.values()}
    unsure = [promise for promise in found.promises if promise.task is None]
    yield "jobs that were acknowledged", len(acknowledged)
    yield "adds without an answer", len(unsure)
    yield "  of these, added all the same", sum(promise.n in numbers for promise in unsure)
    yield "jobs of the scheduler", sum(job.n is None for job in found.completed.values())
    yield "completed jobs", len(found.completed)
    yield "effects", len(found.effects)
    yield "jobs found without a worker, and rescued", sum(job.rescues > 0 for job in found.completed.values())


def _runs(verdict: Verdict) -> Iterator[tuple[str, int]]:
    hows = Counter(run.how for run in verdict.evidence.runs)
    by_task = runs_of(verdict.evidence).values()
    ends = [[run for run in runs if run.how in (DONE, FAILED)] for runs in by_task]
    yield "runs", len(verdict.evidence.runs)
    yield "  failed as planned", hows[FAILED]
    yield "  cut by a stop, and given back", hows[CUT]
    yield "  died with their process", hows[None]
    yield "jobs that ran to the end more than once", sum(map(is_repeated, ends))


def _troubles(verdict: Verdict) -> Iterator[tuple[str, int]]:
    for name, count in sorted(verdict.stage.troubles.items()):
        yield f"trouble: {name.replace('_', ' ')}", count
    for text, count in verdict.stage.logged().most_common():
        yield f"logged {text}"[: _WIDTH - 2], count
