"""What is found when all is over: in the queues by raw commands, and in the ledger."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.soak.ledger import Effect, Ledger, Promise, Run
from tests.soak.work import QUEUES, task_of
from tests.support.database import Database

# Where jobs are that are not done, by their state. What BullMQ 6 calls `wait` is a list, as is `active`.
_UNDONE = {
    **dict.fromkeys(("wait", "active"), "LRANGE"),
    **dict.fromkeys(("delayed", "prioritized", "waiting-children", "failed"), "ZRANGE"),
    "stalled": "SMEMBERS",
}


@dataclass(frozen=True, slots=True)
class Completed:
    """A job that the queue says is completed.

    Attributes:
        n: Number in its payload; those of schedulers have none.
        mark: Its result.
        attempts: How many it took.
        rescues: How often it was found without a worker.
    """

    n: int | None
    mark: Any
    attempts: int
    rescues: int


@dataclass(slots=True)
class Evidence:
    """All there is to judge by.

    Attributes:
        completed: Jobs by what the ledger calls them.
        undone: What is in other places than among the completed jobs, with the place.
        completions: How often each job's completion was told by an event.
        failures: The same for failures.
        locks: Keys of locks that are left.
    """

    promises: list[Promise] = field(default_factory=list[Promise])
    runs: list[Run] = field(default_factory=list[Run])
    effects: list[Effect] = field(default_factory=list[Effect])
    completed: dict[str, Completed] = field(default_factory=dict[str, Completed])
    undone: dict[str, str] = field(default_factory=dict[str, str])
    completions: Counter[str] = field(default_factory=Counter[str])
    failures: Counter[str] = field(default_factory=Counter[str])
    locks: list[str] = field(default_factory=list[str])


def gather(
    ledger: Ledger, database: Database, prefix: str = "bull", queues: Iterable[str] = QUEUES
) -> Evidence:
    """Read the ledger and all queues."""
    found = Evidence(ledger.promises(), ledger.runs(), ledger.effects())
    for queue in queues:
        base = f"{prefix}:{queue}:"
        for id in database.command("ZRANGE", f"{base}completed", 0, -1):
            found.completed[task_of(queue, id)] = _completed(database.command("HGETALL", base + id))
        for state, command in _UNDONE.items():
            span = () if command == "SMEMBERS" else (0, -1)
            for id in database.command(command, base + state, *span):
                found.undone[task_of(queue, id)] = state
        for _, event in database.command("XRANGE", f"{base}events", "-", "+"):
            counter = {"completed": found.completions, "failed": found.failures}.get(event["event"])
            if counter is not None:
                counter[task_of(queue, event["jobId"])] += 1
        found.locks += database.command("KEYS", f"{base}*:lock")
    return found


def _completed(fields: dict[str, str]) -> Completed:
    return Completed(
        n=json.loads(fields["data"]).get("n"),
        mark=json.loads(fields["returnvalue"]),
        attempts=int(fields.get("atm", 0)),
        rescues=int(fields.get("stc", 0)),
    )
