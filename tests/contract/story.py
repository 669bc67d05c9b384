"""Stories of a queue: steps that change it, as hypothesis makes them up.

Each story has a taste of its own: a few options of jobs, a few things that become of them. What goes wrong
only when two rare things meet is found sooner so than by stories that have a little of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

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
_queues = st.sampled_from([*QUEUES, *QUEUES[:1] * 4])

_DEDUPS = st.fixed_dictionaries(
    {"id": st.sampled_from(["d", "e"])},
    optional={
        "ttl": st.sampled_from([0, 600_000]),
        **{flag: st.just(True) for flag in ("extend", "replace", "reschedule", "keepLastIfActive")},
    },
)
_OPTIONS: dict[str, SearchStrategy[Any]] = {
    "delay": st.sampled_from([0, 0.001, 0.002, 1, 60]),
    "priority": st.sampled_from([0, 1, 1, 7, -1]),
    "lifo": st.booleans(),
    "job_id": st.sampled_from(IDS),
    "on_duplicate": st.sampled_from(["ignore", "raise", "replace"]),
    "attempts": st.integers(0, 3),
    "on_failure": st.sampled_from(["fail_parent", "continue_parent", "ignore", "remove"]),
    "deduplication": _DEDUPS,
}
_TIES = ("parent", "waits")


def _finish(target: str, value: str) -> SearchStrategy[Verb]:
    fields: list[str] | bool = ["failedReason", value, "stacktrace", "[]"] if target == "failed" else False

    def make(count: int, age: int | bool, limit: int | bool, attempts: int, points: int | bool) -> Verb:
        keep = (count, age, limit)
        return lambda id, token: Finish(id, token, target, value, fields, attempts, keep, points)

    never = st.just(False)
    return st.builds(
        make,
        st.sampled_from([-1, -1, 0, 0, 1, 2]),
        never | st.sampled_from([0, 30]),
        never | st.just(1),
        st.integers(0, 2),
        never | st.sampled_from([2, 3]),
    )


def _plain_finish() -> SearchStrategy[Verb]:
    def make(keep: int, points: int | bool) -> Verb:
        kept = (keep, False, False)
        return lambda id, token: Finish(id, token, "completed", "1", keep=kept, points=points)

    return st.builds(make, st.sampled_from([-1, 0]), st.just(False) | st.just(3))


def _later(delay_ms: int, counts: bool) -> Verb:
    fields: list[str] | bool = ["failedReason", "late"] if counts else False
    return lambda id, token: DelayJob(id, token, delay_ms, counts, fields)


def _again(side: str) -> Verb:
    return lambda id, token: RetryNow(id, token, side, ["failedReason", "again"])


def _children(child: str | bool) -> Verb:
    return lambda id, token: AwaitChildren(id, token, child)


_VERBS: dict[str, SearchStrategy[Verb]] = {
    "plain": _plain_finish(),
    "complete": _finish("completed", '{"n": 1}'),
    "fail": _finish("failed", "boom"),
    "delay": st.builds(_later, st.sampled_from([0, 1, 2, 60_000]), st.booleans()),
    "retry": st.builds(_again, st.sampled_from(["L", "R"])),
    "give back": st.just(GiveBack),
    "children": st.builds(_children, st.sampled_from([False, False, "p:a:x", "p:b:1"])),
}


def _both(few: Mapping[str, Any], one: Mapping[str, Any]) -> NewPlan:
    return NewPlan({**few, **one})


_CHANGES = (
    *("pause", "resume", "concurrency", "concurrency", "rate", "rate_limit", "promote", "change_delay"),
    *("change_priority", "retry", "remove", "recover", "retry_jobs"),
)


@dataclass(frozen=True)
class _Taste:
    """What a story is made of."""

    options: frozenset[str]
    verbs: frozenset[str]
    odd: bool
    limits: bool

    def plans(self) -> SearchStrategy[NewPlan]:
        given = st.fixed_dictionaries(
            {}, optional={name: _OPTIONS[name] for name in self.options - {*_TIES, "deduplication"}}
        )
        kinds = [st.just(NewPlan()), st.builds(NewPlan, given)]
        if "deduplication" in self.options:
            dedup = st.fixed_dictionaries({"deduplication": _DEDUPS})
            kinds.append(st.builds(_both, given, dedup))
        if "parent" in self.options:
            kinds.append(st.builds(NewPlan, given, parent=st.integers(-1, 4)))
        if "waits" in self.options:
            kinds.append(st.builds(NewPlan, given, waits=st.just(True)))
        return st.one_of(kinds)

    def adds(self, least: int = 1) -> SearchStrategy[Step]:
        jobs = st.lists(self.plans(), min_size=least, max_size=8)
        return st.builds(Add, _queues, jobs, st.sampled_from(["many", "many", "atomic", "concurrent"]))

    def takes(self) -> SearchStrategy[Step]:
        return st.builds(Take, _queues, st.sampled_from([2, 4, 9]), self._terms())

    def settles(self) -> SearchStrategy[Step]:
        wrong = st.tuples(st.integers(0, 5), st.sampled_from(["stale", "unknown", "twice"]))
        return st.builds(
            Settle,
            queue=_queues,
            count=st.sampled_from([1, 3, 9, 9]),
            verbs=st.lists(st.one_of([_VERBS[verb] for verb in sorted(self.verbs)]), min_size=1, max_size=5),
            odd=st.lists(wrong, max_size=3) if self.odd else st.just([]),
            claim=st.sampled_from([0, 0, 1, 3, 9]),
            limit=self._terms(),
        )

    def _terms(self) -> SearchStrategy[tuple[int, int] | None]:
        none = st.none()
        return none | st.sampled_from([(2, 600_000), (5, 600_000)]) if self.limits else none

    @staticmethod
    def others() -> SearchStrategy[Step]:
        texts = st.tuples(st.sampled_from(["progress", "data", "log"]), st.integers(0, 5), st.just("7"))
        return st.one_of(
            st.builds(Forward, st.sampled_from([0.001, 1, 60, 150])),
            st.builds(Change, _queues, st.sampled_from(_CHANGES), st.integers(0, 5), st.integers(0, 4)),
            st.builds(Report, _queues, st.lists(texts, min_size=1, max_size=4)),
            st.builds(Renew, _queues, st.integers(0, 4)),
        )


def _tastes() -> SearchStrategy[_Taste]:
    return st.builds(
        _Taste,
        options=st.frozensets(st.sampled_from([*_OPTIONS, *_TIES]), max_size=4),
        verbs=st.frozensets(st.sampled_from([*_VERBS]), min_size=1, max_size=3),
        odd=st.booleans(),
        limits=st.booleans(),
    )


@st.composite
def stories(draw: DrawFn) -> list[Step]:
    """What happens to two queues, step by step."""
    taste = draw(_tastes())
    steps: SearchStrategy[Step] = st.one_of(
        taste.adds(), taste.takes(), taste.settles(), taste.settles(), taste.others(), taste.others()
    )
    return [draw(taste.adds(least=4)), draw(taste.takes()), *draw(st.lists(steps, min_size=4, max_size=14))]
