"""The checks: what a snapshot shows to be wrong. Each goes by what was seen, and does nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from toril.core.server import ServerInfo
from toril.doctor.findings import Finding
from toril.doctor.snapshot import LATE, MOST, QueueSnapshot, Snapshot

# The first version whose streams count their entries, so that a reader knows how many events it missed.
_COUNTS_EVENTS = 7

# The part of its memory that a server may have taken before that is told.
_NEARLY_FULL = 0.9

# States whose jobs need a worker.
_WAITING = ("waiting", "prioritized", "delayed", "active")


def examine(snapshot: Snapshot) -> list[Finding]:
    """All that is wrong, that of the server first."""
    findings = [found for check in _SERVER_CHECKS for found in check(snapshot.server)]
    for queue in snapshot.queues:
        findings += [found for check in _QUEUE_CHECKS for found in check(queue)]
    return findings


def _eviction(server: ServerInfo) -> Iterator[Finding]:
    if server.eviction != "noeviction":
        yield Finding(
            kind="eviction",
            problem=f"maxmemory-policy is {server.eviction}: the server drops jobs when its memory is full",
            advice="CONFIG SET maxmemory-policy noeviction, and write it into the server's configuration",
        )


def _memory(server: ServerInfo) -> Iterator[Finding]:
    if server.max_memory and server.used_memory > _NEARLY_FULL * server.max_memory:
        share = 100 * server.used_memory // server.max_memory
        yield Finding(
            kind="memory",
            problem=f"the server has taken {share}% of the memory that it may take",
            advice="give it more (maxmemory), or keep fewer finished jobs (toril clean, remove_on_complete)",
        )


def _persistence(server: ServerInfo) -> Iterator[Finding]:
    if not server.appends and not server.snapshots:
        doubt = " as far as it tells" if server.snapshots is None else ""
        yield Finding(
            kind="persistence",
            problem=f"the server writes nothing to disk{doubt}: its jobs are gone when it restarts",
            advice="CONFIG SET appendonly yes, and write it into the server's configuration",
        )
    if server.write_failed:
        yield Finding(
            kind="write-failed",
            problem="the server could not write its data to disk the last time it tried",
            advice="look into its log; most often the disk is full",
        )


def _version(server: ServerInfo) -> Iterator[Finding]:
    major = re.match(r"\d+", server.version)
    if server.engine == "redis" and major and int(major[0]) < _COUNTS_EVENTS:
        yield Finding(
            kind="old-version",
            problem=f"the server is Redis {server.version}, which can't tell how many events a reader missed",
            advice="move to Redis 7 or newer, or to Valkey",
        )


def _unreadable(queue: QueueSnapshot) -> Iterator[Finding]:
    if queue.unreadable:
        yield Finding(
            kind="unreadable",
            queue=queue.name,
            problem=f"can't be looked at: {queue.unreadable}",
            advice="something else was written at one of its keys; find it by TYPE, and delete it",
        )


def _paused(queue: QueueSnapshot) -> Iterator[Finding]:
    if queue.paused:
        yield Finding(
            kind="paused",
            queue=queue.name,
            problem="is paused: none of its jobs start",
            advice=f"toril resume {queue.name}, unless that is meant so",
        )


def _nobody(queue: QueueSnapshot) -> Iterator[Finding]:
    jobs = sum(queue.counts.get(state, 0) for state in _WAITING)
    if not queue.workers and (jobs or queue.schedulers):
        yield Finding(
            kind="no-workers",
            queue=queue.name,
            problem=f"has no worker, and {jobs} jobs and {queue.schedulers} job schedulers that need one",
            advice="start a worker for it",
            count=jobs,
        )


def _overdue(queue: QueueSnapshot) -> Iterator[Finding]:
    # A paused queue has none by design, and one that nobody works is told of already.
    if queue.overdue and queue.workers and not queue.paused:
        yield Finding(
            kind="overdue-jobs",
            queue=queue.name,
            problem=f"{queue.overdue} delayed jobs should have run more than {LATE} s ago",
            advice="if workers have free slots, they did not notice; toril doctor --fix lets the jobs wait",
            ids=queue.overdue_ids,
            count=queue.overdue,
        )


def _stuck(queue: QueueSnapshot) -> Iterator[Finding]:
    for parent in queue.stuck:
        yield Finding(
            kind="stuck-parent",
            queue=queue.name,
            problem=f"job {parent.id} waits for children and can never run",
            advice=parent.reason,
            ids=(parent.id,),
            count=1,
        )


def _orphans(queue: QueueSnapshot) -> Iterator[Finding]:
    if queue.orphans:
        number = f"{MOST} or more" if len(queue.orphans) == MOST else str(len(queue.orphans))
        yield Finding(
            kind="orphans",
            queue=queue.name,
            problem=f"there are remains of {number} jobs that are in no state, so nothing will come of them",
            advice="toril doctor --fix deletes them",
            ids=queue.orphans,
            count=len(queue.orphans),
        )


def _dead_schedulers(queue: QueueSnapshot) -> Iterator[Finding]:
    if queue.dead_schedulers:
        yield Finding(
            kind="dead-schedulers",
            queue=queue.name,
            problem=f"{len(queue.dead_schedulers)} job schedulers have lost their next job and stand still",
            advice="a running worker puts it back within a minute; toril doctor --fix does so now",
            ids=queue.dead_schedulers,
            count=len(queue.dead_schedulers),
        )


def _unlocked(queue: QueueSnapshot) -> Iterator[Finding]:
    if queue.unlocked:
        yield Finding(
            kind="unlocked-jobs",
            queue=queue.name,
            problem=f"{len(queue.unlocked)} active jobs have lost their worker",
            advice="a running worker gives them back within about a minute"
            + ("" if queue.workers else "; start one"),
            ids=queue.unlocked[:MOST],
            count=len(queue.unlocked),
        )


_SERVER_CHECKS: tuple[Callable[[ServerInfo], Iterator[Finding]], ...] = (
    _eviction,
    _memory,
    _persistence,
    _version,
)
_QUEUE_CHECKS: tuple[Callable[[QueueSnapshot], Iterator[Finding]], ...] = (
    _unreadable,
    _paused,
    _nobody,
    _unlocked,
    _overdue,
    _stuck,
    _dead_schedulers,
    _orphans,
)
