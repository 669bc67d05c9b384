"""Stories of a queue: steps that change it, made up at random.

Each story has a taste of its own: a few options of jobs, a few things that become of them. What goes wrong
only when two rare things meet is found sooner so than by stories that have a little of everything. The
strategies of hypothesis are not used, because they make short stories: what is wanted are full ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from toril.store.values import AwaitChildren, DelayJob, Finish, GiveBack, RetryNow, Settlement

#: Two queues, because parents and children often live in different ones.
QUEUES = ("a", "b")
#: Few ids, so that they meet again.
IDS = ("x", "y", "z")
#: The parent of a plan is the job that was added last.
LATEST = -2


@dataclass(frozen=True)
class NewPlan:
    """A job to add.

    Attributes:
        options: As a caller of ``Queue.add`` gives them.
        parent: Which of the jobs known by then is the parent, or ``LATEST``; -1 is one that does not exist.
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
    verbs: Sequence[Callable[[str, str], Settlement]]
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

_FLAGS = ("extend", "replace", "reschedule", "keepLastIfActive")
_OPTIONS: dict[str, Sequence[Any]] = {
    "delay": (0, 0.001, 0.002, 1, 60),
    "priority": (0, 1, 1, 7, -1),
    "lifo": (True, False),
    "job_id": IDS,
    "on_duplicate": ("ignore", "raise", "replace"),
    "attempts": (0, 1, 3),
    "on_failure": ("fail_parent", "continue_parent", "ignore", "remove"),
}
_KINDS = (*_OPTIONS, "deduplication", "parent", "waits")
_CHANGES = (
    *("pause", "resume", "concurrency", "concurrency", "rate", "rate_limit", "promote", "change_delay"),
    *("change_priority", "retry", "remove", "recover", "retry_jobs"),
)


@dataclass(frozen=True)
class Verb:
    """What becomes of a held job: the kind of a settlement, and what it is made with."""

    kind: type[Settlement]
    parts: tuple[Any, ...] = ()

    def __call__(self, id: str, token: str) -> Settlement:
        return self.kind(id, token, *self.parts)


class Narrator:
    """Makes up one story."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._kinds = random.sample(_KINDS, random.randint(0, 4))
        self._verbs = random.sample([*self._makers()], random.randint(1, 3))
        self._odd = random.random() < 0.4
        self._limited = random.random() < 0.3
        # Often there is one queue only, which then has more to tell.
        self._queues = random.choice((QUEUES, QUEUES[:1]))
        self._families = random.random() < 0.3

    def story(self) -> list[Step]:
        """The story."""
        makers = (self._add, self._take, self._settle, self._settle, self._settle, self._turn, self._other)
        steps = [self._random.choice(makers)() for _ in range(self._random.randint(6, 16))]
        if self._families:
            for _ in range(self._random.randint(1, 3)):
                at = self._random.randrange(len(steps))
                steps[at:at] = self._family()
        return [self._add(), self._take(), *steps]

    def _family(self) -> list[Step]:
        """A parent with children that are not done, some of which are taken and some complete together."""
        options = {
            name: self._random.choice(_OPTIONS[name]) for name in ("delay", "priority") if self._chance(0.2)
        }
        children = [NewPlan(parent=LATEST) for _ in range(self._random.randint(1, 8))]
        above, below = self._queue(), self._queue()
        finish = self._random.choice((self._plain_finish(), self._plain_failure()))
        return [
            Add(above, [NewPlan(options, waits=True)], "many"),
            Add(below, children, "many"),
            Take(below, 20, None),
            Settle(below, self._random.choice((3, 20, 20)), [finish], [], self._random.choice((0, 3)), None),
        ]

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _queue(self) -> str:
        return self._random.choice(self._queues)

    def _plan(self) -> NewPlan:
        options: dict[str, Any] = {
            name: self._random.choice(_OPTIONS[name])
            for name in self._kinds
            if name in _OPTIONS and self._chance(0.6)
        }
        match self._random.choice(("plain", *self._kinds)):
            case "deduplication":
                return NewPlan({**options, "deduplication": self._dedup()})
            case "parent":
                return NewPlan(options, parent=self._random.randint(-1, 6))
            case "waits":
                return NewPlan(options, waits=True)
            case _:
                return NewPlan(options)

    def _dedup(self) -> dict[str, Any]:
        rule: dict[str, Any] = {"id": self._random.choice("de")}
        if self._chance(0.5):
            rule["ttl"] = self._random.choice((0, 600_000))
        return rule | {flag: True for flag in _FLAGS if self._chance(0.3)}

    def _add(self) -> Step:
        jobs = [self._plan() for _ in range(self._random.randint(1, 12))]
        return Add(self._queue(), jobs, self._random.choice(("many", "many", "atomic", "concurrent")))

    def _terms(self) -> tuple[int, int] | None:
        return (self._random.choice((2, 5)), 600_000) if self._limited and self._chance(0.7) else None

    def _take(self) -> Step:
        return Take(self._queue(), self._random.choice((1, 3, 6, 20)), self._terms())

    def _settle(self) -> Step:
        makers = self._makers()
        verbs = [makers[self._random.choice(self._verbs)]() for _ in range(self._random.randint(1, 5))]
        odd = [
            (self._random.randint(0, 9), self._random.choice(("stale", "unknown", "twice")))
            for _ in range(self._random.randint(0, 3) if self._odd else 0)
        ]
        count = self._random.choice((1, 3, 20, 20))
        claim = self._random.choice((0, 0, 1, 3, 20))
        return Settle(self._queue(), count, verbs, odd, claim, self._terms())

    def _turn(self) -> Step:
        """One job ends and one is taken, as in a worker of one slot."""
        finish = Verb(Finish, ("completed", "1", False, 0, (-1, False, False), False))
        return Settle(self._queue(), 1, [finish], [], 1, None)

    def _makers(self) -> dict[str, Callable[[], Verb]]:
        return {
            "plain": self._plain_finish,
            "complete": lambda: self._finish("completed", '{"n": 1}', False),
            "fail": lambda: self._finish("failed", "boom", ["failedReason", "boom", "stacktrace", "[]"]),
            "fail plainly": self._plain_failure,
            "delay": self._later,
            "retry": lambda: Verb(RetryNow, (self._random.choice("LR"), ["failedReason", "again"])),
            "give back": lambda: Verb(GiveBack),
            "children": lambda: Verb(AwaitChildren, (self._random.choice((False, False, "p:a:x", "p:b:1")),)),
        }

    def _plain_finish(self) -> Verb:
        keep = (self._random.choice((-1, 0)), False, False)
        return Verb(Finish, ("completed", "1", False, 0, keep, self._random.choice((False, 3))))

    def _plain_failure(self) -> Verb:
        keep = (self._random.choice((-1, -1, 0)), False, False)
        points, attempts = self._random.choice((False, 3)), self._random.choice((0, 1, 2))
        fields = ["failedReason", "boom", "stacktrace", "[]"]
        return Verb(Finish, ("failed", "boom", fields, attempts, keep, points))

    def _finish(self, target: str, value: str, fields: list[str] | bool) -> Verb:
        choose = self._random.choice
        keep = (choose((-1, -1, 0, 1, 2)), choose((False, False, 0, 30)), choose((False, 1)))
        return Verb(Finish, (target, value, fields, choose((0, 1, 3)), keep, choose((False, 2, 3))))

    def _later(self) -> Verb:
        counts = self._chance(0.5)
        fields = ["failedReason", "late"] if counts else False
        return Verb(DelayJob, (self._random.choice((0, 1, 2, 60_000)), counts, fields))

    def _other(self) -> Step:
        choose = self._random.choice
        match choose(("forward", "forward", "change", "change", "report", "renew")):
            case "forward":
                return Forward(choose((0.001, 1, 60, 150)))
            case "change":
                return Change(self._queue(), choose(_CHANGES), choose(range(6)), choose(range(5)))
            case "report":
                kinds = ("progress", "data", "log")
                return Report(self._queue(), [(choose(kinds), choose(range(6)), "7") for _ in range(4)])
            case _:
                return Renew(self._queue(), choose(range(5)))


def story(random: Random) -> list[Step]:
    """What happens to two queues, step by step."""
    return Narrator(random).story()
