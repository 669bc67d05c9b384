"""The doctor's checks, on snapshots made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from toril import ServerInfo, StuckChild, StuckParent
from toril.doctor import Finding, QueueSnapshot, Snapshot, examine

HEALTHY = ServerInfo.of({"valkey_version": "9.0.1", "aof_enabled": "1", "save": ""})
WORKED = QueueSnapshot(name="mail", counts={"waiting": 3, "active": 1}, workers=1)


def findings(server: ServerInfo = HEALTHY, *queues: QueueSnapshot) -> list[Finding]:
    return examine(Snapshot(server=server, queues=queues))


def test_nothing_is_wrong() -> None:
    assert findings(HEALTHY, WORKED, QueueSnapshot(name="unused", counts={"completed": 9})) == []


@pytest.mark.parametrize(
    ("facts", "kind", "said"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "eviction", "allkeys-lru"),
        ({"maxmemory": "1000", "used_memory": "950"}, "memory", "95%"),
        ({"aof_enabled": "0"}, "persistence", "gone when it restarts"),
        ({"aof_last_write_status": "err"}, "write-failed", "could not write"),
        ({"rdb_last_bgsave_status": "err"}, "write-failed", "could not write"),
    ],
)
def test_wrong_settings_of_a_server(facts: dict[str, str], kind: str, said: str) -> None:
    server = ServerInfo.of({"valkey_version": "9.0.1", "aof_enabled": "1", "save": "", **facts})
    [found] = findings(server)

    assert (found.kind, found.queue, found.repairable) == (kind, None, False)
    assert said in found.problem


@pytest.mark.parametrize(
    ("facts", "kinds"),
    [
        ({"redis_version": "6.2.14"}, ["old-version"]),
        ({"redis_version": "7.0.15"}, []),
        ({"redis_version": "7.2.4", "valkey_version": "8.0.0"}, []),
        ({}, []),
    ],
)
def test_old_versions(facts: dict[str, str], kinds: list[str]) -> None:
    assert [found.kind for found in findings(ServerInfo.of({"aof_enabled": "1", **facts}))] == kinds


@pytest.mark.parametrize(
    ("save", "wrong"), [("3600 1 300 100", False), ("", True), (None, True)], ids=["on", "off", "not told"]
)
def test_snapshots_count_as_persistence(save: str | None, wrong: bool) -> None:
    facts = {"redis_version": "7.2.0", "aof_enabled": "0"} | ({} if save is None else {"save": save})

    assert bool(findings(ServerInfo.of(facts))) == wrong


STUCK = StuckParent("mail", "7", (StuckChild("bull:images:1", "is gone"),))


@pytest.mark.parametrize(
    ("change", "kind", "ids", "repairable"),
    [
        ({"paused": True}, "paused", (), False),
        ({"workers": 0}, "no-workers", (), False),
        ({"unlocked": ("1", "2")}, "unlocked-jobs", ("1", "2"), False),
        ({"overdue": 2, "overdue_ids": ("1",)}, "overdue-jobs", ("1",), True),
        ({"stuck": (STUCK,)}, "stuck-parent", ("7",), False),
        ({"dead_schedulers": ("daily",)}, "dead-schedulers", ("daily",), True),
        ({"orphans": ("1",)}, "orphans", ("1",), True),
    ],
)
def test_what_is_wrong_with_a_queue(
    change: dict[str, Any], kind: str, ids: tuple[str, ...], repairable: bool
) -> None:
    [found] = findings(HEALTHY, replace(WORKED, **change))

    assert (found.kind, found.queue, found.ids, found.repairable) == (kind, "mail", ids, repairable)
    assert found.problem
    assert found.advice


def test_a_queue_without_jobs_needs_no_worker_unless_it_has_schedulers() -> None:
    empty = QueueSnapshot(name="mail", counts={"failed": 4})

    assert findings(HEALTHY, empty) == []
    [found] = findings(HEALTHY, replace(empty, schedulers=1))
    assert found.kind == "no-workers"


def test_jobs_of_a_paused_queue_are_not_overdue() -> None:
    kinds = [found.kind for found in findings(HEALTHY, replace(WORKED, paused=True, overdue=3))]

    assert kinds == ["paused"]


def test_the_reason_of_a_stuck_parent_is_told() -> None:
    [found] = findings(HEALTHY, replace(WORKED, stuck=(STUCK,)))

    assert found.advice == "child bull:images:1 is gone"
