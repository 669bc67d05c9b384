"""Random choices, and the options of jobs, workers and schedulers among which they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

from tests.fuzz.deviations import NOT_IN_TEMPLATES
from tests.fuzz.story import PREFIX, T0_MS
from tests.golden.values import JSON

T = TypeVar("T")

#: Few ids, so that they meet again.
IDS = ("x", "y", "z")
#: Two queues, because parents and children often live in different ones.
QUEUES = ("a", "b")
SCHEDULERS = ("s", "u")
DEDUPLICATION_IDS = ("d", "e")

# Longer than any story takes, because the server counts the life of keys by its own clock.
LONG_MS = 600_000

_KEEP = (
    *(True, False, 1, 2),
    *({"count": 1}, {"age": 30}, {"age": 30, "limit": 1}, {"age": 30, "count": 2}, {"count": 0}),
)
_POLICIES = (
    "failParentOnFailure",
    "continueParentOnFailure",
    "ignoreDependencyOnFailure",
    "removeDependencyOnFailure",
)
_BACKOFFS = (
    *(1000, 0),
    *({"type": "fixed", "delay": 500}, {"type": "exponential", "delay": 100}, {"type": "linear"}),
    *({"type": "never"}, {"type": "now"}, {"type": "other"}),
)
_FLAGS = ("extend", "replace", "reschedule", "keepLastIfActive")
_DATA: Sequence[JSON] = (
    None,
    0,
    "ä/\u2028",
    True,
    [1, {"a": []}],
    {},
    {"n": 1.5},
    {"deep": {"list": [None]}},
)
_OPTIONS: Mapping[str, Sequence[Any]] = {
    "delay": (0, 1, 2, 1000, 60_000),
    "priority": (0, 1, 1, 7, 2_097_151),
    "lifo": (True, False),
    "jobId": IDS,
    "attempts": (0, 1, 2, 3, 3),
    "backoff": _BACKOFFS,
    "removeOnComplete": _KEEP,
    "removeOnFail": _KEEP,
    "keepLogs": (1, 2),
    "stackTraceLimit": (0, 1),
    "sizeLimit": (2, 1000),
    "custom": ("kept",),
}
#: What may be given with a job, beside its options.
MORE = ("timestamp", "deduplication", "parent", "policy")
KINDS = (*_OPTIONS, *MORE)

_WORKER: Mapping[str, Sequence[Any]] = {
    "name": ("w",),
    "limiter": ({"max": 1, "duration": LONG_MS}, {"max": 3, "duration": LONG_MS}),
    "metrics": ({"maxDataPoints": 3},),
    "removeOnComplete": ({"count": 1}, {"age": 30}),
    "removeOnFail": ({"count": 0}, {"count": 2}),
    "maxStalledCount": (0, 2),
    "maxStartedAttempts": (1, 2),
}
_EVERY = (1000, 7000, 60_000)
_CRON = ("*/5 * * * * *", "* * * * *", "0 9 * * 1-5")


class Choices:
    """Random choices after the taste of one story.

    Attributes:
        random: Where all of them come from.
        now_ms: The time of the step that is made up.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now_ms = T0_MS
        self._kinds = random.sample(KINDS, random.randint(0, 5))
        self._worker_kinds = random.sample([*_WORKER], random.choice((0, 0, 1, 2)))

    def of(self, items: Sequence[T]) -> T:
        """One of these."""
        return self.random.choice(items)

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.random.random() < share

    def data(self) -> JSON:
        """A payload."""
        return self.of(_DATA)

    def worker_options(self) -> dict[str, Any]:
        """Options of a worker."""
        return {name: self.of(_WORKER[name]) for name in self._worker_kinds}

    def job_options(self, parent: Callable[[], tuple[str, str]] | None = None) -> dict[str, Any]:
        """Options of a job.

        Args:
            parent: Gives the queue and the id of one; without, there is none.
        """
        options = {
            name: self.of(_OPTIONS[name]) for name in self._kinds if name in _OPTIONS and self.chance(0.6)
        }
        if "timestamp" in self._kinds and self.chance(0.3):
            options["timestamp"] = self.now_ms - self.of((0, 5000, 40_000))
        # Both at once are refused.
        if "parent" in self._kinds and parent and self.chance(0.4):
            queue, id = parent()
            options["parent"] = {"id": id, "queue": f"{PREFIX}:{queue}"}
        elif "deduplication" in self._kinds and self.chance(0.8):
            options["deduplication"] = self._deduplication()
        return options | self.policy()

    def default_options(self) -> dict[str, Any]:
        """Options of all jobs of a queue."""
        options = self.job_options()
        # Schedulers share them; for this and for the policies see deviations.py.
        return {name: value for name, value in options.items() if name not in (*NOT_IN_TEMPLATES, *_POLICIES)}

    def policy(self) -> dict[str, Any]:
        """What the failure of a child means for its parent."""
        return {self.of(_POLICIES): True} if "policy" in self._kinds and self.chance(0.6) else {}

    def _deduplication(self) -> dict[str, Any]:
        rule: dict[str, Any] = {"id": self.of(DEDUPLICATION_IDS)}
        if self.chance(0.5):
            rule["ttl"] = self.of((0, LONG_MS))
        return rule | {flag: True for flag in _FLAGS if self.chance(0.3)}

    def repeat(self) -> dict[str, Any]:
        """When a scheduler makes its jobs."""
        rule: dict[str, Any] = {}
        if self.chance(0.6):
            rule["every"] = self.of(_EVERY)
            if self.chance(0.3):
                rule["offset"] = self.of((0, 300, 999))
        else:
            rule["pattern"] = self.of(_CRON)
            if self.chance(0.4):
                rule["tz"] = self.of(("Europe/Berlin", "UTC"))
            if self.chance(0.2):
                rule["immediately"] = True
        if self.chance(0.2):
            rule["limit"] = self.of((1, 2))
        if self.chance(0.2) and "immediately" not in rule:
            rule["startDate"] = self.now_ms + self.of((-5000, 3000, 60_000))
        if self.chance(0.2):
            rule["endDate"] = max(self.now_ms, rule.get("startDate", 0)) + self.of((10_000, 120_000))
        return rule
