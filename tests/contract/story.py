"""Stories of a queue: steps that change it, as hypothesis makes them up."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from toril.store.contract import AwaitChildren, DelayJob, Finish, GiveBack, RetryNow, Settlement

#: Two queues, because parents and children often live in different ones.
QUEUES = ("a", "b")
#: Few ids, so that they meet again.
IDS = ("x", "y", "z")

Verb = Callable[[str, str], Settlement]


@dataclass(frozen=True)
class NewPlan:
    """A job to add.

    Attributes:
        options: As a caller of ``Queue.add`` gives them.
        parent: Which of the jobs known by then is the parent; -1 is one that does not exist.
        waits: It has children of its own that are added later.
    """

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    parent: int | None = None
    waits: bool = False


@dataclass(frozen=True)
class Add:
    """Add jobs: with ``add_many``, all or none, or with an ``add`` for each at the same time."""

    queue: str
    jobs: list[NewPlan]
    how: str


@dataclass(frozen=True)
class Take:
    """Take so many jobs, perhaps on terms of a rate limit."""

    queue: str
    count: int
    limit: tuple[int, int] | None


@dataclass(frozen=True)
class Settle:
    """Settle jobs that are held, and perhaps take new ones in the same call.

    Attributes:
        count: So many of those that are held, oldest first.
        verbs: What becomes of them, in turn; the texts are the id and the token.
        odd: What is wrong with some: position and ``stale`` token, ``unknown`` id, the same job ``twice``.
        claim: How many to take; 0 takes none.
    """

    queue: str
    count: int
    verbs: list[Verb]
    odd: list[tuple[int, str]]
    claim: int
    limit: tuple[int, int] | None


@dataclass(frozen=True)
class Report:
    """Progress, payloads and log rows, all at the same time: what it is, which job, the text."""

    queue: str
    reports: list[tuple[str, int, str]]


@dataclass(frozen=True)
class Renew:
    """Renew the locks of the first so many held jobs and of one that is unknown."""

    queue: str
    count: int


@dataclass(frozen=True)
class Change:
    """Something that is not done in batches: a verb, which job, and a number that the verb understands."""

    queue: str
    verb: str
    job: int
    number: int


@dataclass(frozen=True)
class Forward:
    """Time passes."""

    seconds: float


Step = Add | Take | Settle | Report | Renew | Change | Forward

# One of them has most of the jobs.
_main_queue = st.just(QUEUES[0])
_queues = st.sampled_from([*QUEUES, QUEUES[0], QUEUES[0], QUEUES[0]])
_delays = st.sampled_from([0, 0.001, 0.002, 1, 60])
_limits = st.sampled_from([None, None, None, (1, 600_000), (3, 600_000)])
_policies = st.sampled_from(["fail_parent", "continue_parent", "ignore", "remove"])
_dedups = st.fixed_dictionaries(
    {"id": st.sampled_from(["d", "e"])},
    optional={
        "ttl": st.sampled_from([0, 600_000]),
        "extend": st.just(True),
        "replace": st.just(True),
        "reschedule": st.just(True),
        "keepLastIfActive": st.just(True),
    },
)
_plain_options = {
    "delay": _delays,
    "priority": st.sampled_from([0, 1, 1, 7, -1]),
    "lifo": st.booleans(),
    "job_id": st.sampled_from(IDS),
    "on_duplicate": st.sampled_from(["ignore", "raise", "replace"]),
    "attempts": st.integers(0, 3),
    "on_failure": _policies,
}


def _new_plans() -> SearchStrategy[NewPlan]:
    few = st.fixed_dictionaries({}, optional=_plain_options)
    with_dedup = st.fixed_dictionaries({"deduplication": _dedups}, optional=_plain_options)
    return st.one_of(
        st.just(NewPlan()),
        st.builds(NewPlan, few),
        st.builds(NewPlan, with_dedup),
        st.builds(NewPlan, few, parent=st.integers(-1, 4)),
        st.builds(NewPlan, few, waits=st.just(True)),
    )


def _roots() -> SearchStrategy[NewPlan]:
    options = {key: _plain_options[key] for key in ("priority", "lifo", "job_id", "attempts")}
    return st.one_of(st.just(NewPlan()), st.builds(NewPlan, st.fixed_dictionaries({}, optional=options)))


def _keeps() -> SearchStrategy[tuple[int, int | bool, int | bool]]:
    counts = st.sampled_from([-1, -1, 0, 0, 1, 2])
    return st.tuples(counts, st.sampled_from([False, False, 0, 30]), st.sampled_from([False, 1]))


def _finish(target: str, value: str, failure: bool) -> SearchStrategy[Verb]:
    fields: list[str] | bool = ["failedReason", value, "stacktrace", "[]"] if failure else False

    def make(keep: Any, attempts: int, points: int | bool) -> Verb:
        return lambda id, token: Finish(id, token, target, value, fields, attempts, keep, points)

    return st.builds(make, _keeps(), st.integers(0, 2), st.sampled_from([False, False, 2]))


def _plain_finish() -> SearchStrategy[Verb]:
    def make(keep: int, points: int | bool) -> Verb:
        return lambda id, token: Finish(id, token, "completed", "1", keep=(keep, False, False), points=points)

    return st.builds(make, st.sampled_from([-1, 0]), st.sampled_from([False, False, 3]))


def _verbs() -> SearchStrategy[Verb]:
    def later(delay_ms: int, counts: bool) -> Verb:
        return lambda id, token: DelayJob(id, token, delay_ms, counts, counts and ["failedReason", "late"])

    def again(side: str) -> Verb:
        return lambda id, token: RetryNow(id, token, side, ["failedReason", "again"])

    def children(child: str | bool) -> Verb:
        return lambda id, token: AwaitChildren(id, token, child)

    child = st.sampled_from([False, False, "p:a:x", "p:b:1"])
    return st.one_of(
        _plain_finish(),
        _plain_finish(),
        _finish("completed", '{"n": 1}', failure=False),
        _finish("failed", "boom", failure=True),
        st.builds(later, st.sampled_from([0, 1, 2, 60_000]), st.booleans()),
        st.builds(again, st.sampled_from(["L", "R"])),
        st.just(GiveBack),
        st.builds(children, child),
    )


def _settles() -> SearchStrategy[Settle]:
    odd = st.tuples(st.integers(0, 5), st.sampled_from(["stale", "unknown", "twice"]))
    return st.builds(
        Settle,
        queue=_queues,
        count=st.sampled_from([1, 2, 3, 9, 9]),
        verbs=st.lists(_verbs(), min_size=1, max_size=5),
        odd=st.one_of(st.just([]), st.just([]), st.lists(odd, max_size=3)),
        claim=st.sampled_from([0, 0, 1, 2, 5, 9]),
        limit=_limits,
    )


_CHANGES = (
    *("pause", "resume", "concurrency", "rate", "rate_limit", "promote", "change_delay", "change_priority"),
    *("retry", "remove", "recover", "retry_jobs"),
)


def _as_steps(steps: Iterable[Step]) -> list[Step]:
    return [*steps]


def stories() -> SearchStrategy[list[Step]]:
    """What happens to two queues, step by step."""
    jobs = st.lists(_new_plans(), min_size=1, max_size=7)
    texts = st.tuples(st.sampled_from(["progress", "data", "log"]), st.integers(0, 5), st.just("7"))
    batches: SearchStrategy[Step] = st.one_of(
        st.builds(Add, _queues, jobs, st.sampled_from(["many", "many", "atomic", "concurrent"])),
        st.builds(Take, _queues, st.sampled_from([1, 3, 9]), _limits),
        _settles(),
        _settles(),
        _settles(),
    )
    others: SearchStrategy[Step] = st.one_of(
        st.builds(Report, _queues, st.lists(texts, min_size=1, max_size=4)),
        st.builds(Renew, _queues, st.integers(0, 4)),
        st.builds(Change, _queues, st.sampled_from(_CHANGES), st.integers(0, 5), st.integers(0, 3)),
        st.builds(Forward, st.sampled_from([0.001, 1, 60, 150])),
    )
    # Most of what can go wrong needs jobs that are held already, and children of these.
    beginning: SearchStrategy[list[Step]] = st.tuples(
        st.builds(Add, _main_queue, st.lists(_roots(), min_size=4, max_size=8), st.just("many")),
        st.builds(Take, _main_queue, st.sampled_from([3, 9, 9]), st.none()),
    ).map(_as_steps)
    steps = st.lists(st.one_of(batches, batches, others), min_size=4, max_size=12)
    return st.builds(operator.add, beginning, steps)
