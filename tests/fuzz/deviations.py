"""Where toril is meant to differ from BullMQ: all of it, each as narrow as can be.

Some differences are not looked for, because stories do not tell of them:

- What a failure means for the parent is one option in toril and four in BullMQ. So a job's own choice
  replaces that of the queue's default options, where BullMQ refuses the two together.
- ``NOT_IN_TEMPLATES``: options that toril refuses for the jobs of schedulers, where BullMQ would overwrite or
  half follow them, and a size limit, which only toril holds them to.
- A scheduler that ends before it starts is refused by toril; in BullMQ it may run once.
- A template whose data is null means null in toril, and no data in BullMQ.
- A job's object of BullMQ counts the attempts that it has failed itself, toril's is as it was taken. So none
  is failed twice.
- A worker of BullMQ forgets that it is rate limited when another of its jobs ends, toril's does not. So
  driver.mjs reminds it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from tests.fuzz.story import PREFIX, Step
from tests.support.database import Dump

#: Options, as BullMQ names them, that jobs of schedulers do not have in stories.
NOT_IN_TEMPLATES = ("jobId", "timestamp", "delay", "deduplication", "parent", "sizeLimit")


@dataclass(frozen=True)
class Deviation:
    """One difference that is meant.

    Attributes:
        reason: What BullMQ does, and why toril does not.
        op: The operation that shows it; ``None`` for any.
        meets: Whether these lines, found after this step on that database, are this difference and no other.
    """

    reason: str
    op: str | None
    meets: Callable[[Step, Dump, Sequence[str]], bool]


# Keys that a scheduler and its next job are in.
_SCHEDULED = ("repeat", "wait", "paused", "prioritized", "pc", "delayed", "events", "marker", "id")


def _touches_only(lines: Sequence[str], *keys: str) -> bool:
    return all(line.startswith(keys) for line in lines)


def _in(before: Dump, key: str) -> Collection[str]:
    found = before.get(key)
    return found.value if found else ()


def _upsert_while_paused(step: Step, before: Dump, lines: Sequence[str]) -> bool:
    base, id = f"{PREFIX}:{step['queue']}:", step["id"]
    unseen = "wait" if "paused" in _in(before, f"{base}meta") else "paused"
    return any(job.startswith(f"repeat:{id}:") for job in _in(before, base + unseen)) and _touches_only(
        lines, "answer", *(base + key for key in _SCHEDULED)
    )


def _endless(step: Step, before: Dump, lines: Sequence[str]) -> bool:
    return lines[0].startswith("answer: node {'error'") and "stack overflow" in lines[0]


def _drained_iteration(step: Step, before: Dump, lines: Sequence[str]) -> bool:
    base = f"{PREFIX}:{step['queue']}:"
    schedulers = before.get(f"{base}repeat")
    pending = {f"repeat:{id}:{due}" for id, due in schedulers.value.items()} if schedulers else set[str]()
    trimmed = [f"{base}{name}" for name in ("wait", "paused") if pending & {*_in(before, f"{base}{name}")}]
    return bool(trimmed) and _touches_only(lines, *trimmed)


def _orphans(step: Step, before: Dump, lines: Sequence[str]) -> bool:
    base = f"{PREFIX}:{step['queue']}:"
    mistaken = [f"{base}1:", f"{base}1."] if "1" in _in(before, f"{base}marker") else []
    return _touches_only(lines, "answer", f"{base}metrics:failed: node nothing", *mistaken)


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        "upsert of a scheduler: while the queue is paused BullMQ looks for the pending job in `paused`, where"
        " version 6 keeps none, and else in `wait` only, so that it stays beside the new one",
        "queue.upsertJobScheduler",
        _upsert_while_paused,
    ),
    Deviation(
        "drain with the next job of a scheduler in `wait`: BullMQ cuts off as many ids as it removed, though"
        " that job may be among them, and the schedule stops",
        "queue.drain",
        _drained_iteration,
    ),
    Deviation(
        "orphans: BullMQ takes `metrics:failed` for part of a job and removes it, and leaves an orphan with"
        " the id 1 because there is a marker of that name",
        "queue.removeOrphanedJobs",
        _orphans,
    ),
    Deviation(
        "jobs that are their own ancestors: BullMQ follows them until its script breaks, toril once around",
        None,
        _endless,
    ),
)


def intended(step: Step, before: Dump, lines: Sequence[str]) -> str | None:
    """Why these differences are meant, if they are."""
    for deviation in DEVIATIONS:
        if deviation.op in (None, step["op"]) and deviation.meets(step, before, lines):
            return deviation.reason
    return None
