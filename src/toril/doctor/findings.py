"""Something that is wrong."""

from __future__ import annotations

from dataclasses import dataclass

#: What ``repair`` can do without harm: nothing that it does loses a job or runs one twice.
REPAIRABLE = frozenset({"orphans", "dead-schedulers", "overdue-jobs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong.

    Attributes:
        kind: What it is; one of a fixed set of names.
        problem: What is wrong, in words.
        advice: What to do about it.
        queue: The queue it is about; ``None`` for the server.
        ids: The jobs or schedulers it is about, of which there may be more.
        count: How many there are; 0 where nothing is counted.
    """

    kind: str
    problem: str
    advice: str
    queue: str | None = None
    ids: tuple[str, ...] = ()
    count: int = 0

    @property
    def repairable(self) -> bool:
        """Whether it can be repaired without harm."""
        return self.kind in REPAIRABLE
