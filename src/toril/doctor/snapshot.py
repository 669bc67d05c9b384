"""A look at a server and its queues: all that the checks go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from toril.core.inspector import Inspector
from toril.core.queue import Queue
from toril.core.server import ServerInfo, get_server_info
from toril.core.stuck import StuckParent
from toril.errors import ScriptError
from toril.store.contract import Store

#: Seconds for which what is late may be under way; workers look at such things every 30 s.
LATE = 60

#: So many jobs of a kind are named.
MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSnapshot:
    """A queue at a moment.

    Attributes:
        counts: How many jobs are in each state.
        workers: How many are connected.
        schedulers: How many job schedulers it has.
        overdue: How many delayed jobs should have run more than a minute ago.
        overdue_ids: Some of them.
        stuck: Parents that can never run.
        orphans: Ids of what is left of jobs that are in no state.
        dead_schedulers: Ids of schedulers whose next job is lost.
        unlocked: Ids of active jobs that no worker holds.
        unreadable: Why nothing is known of it; empty if it could be looked at.
    """

    name: str
    counts: Mapping[str, int]
    paused: bool = False
    workers: int = 0
    schedulers: int = 0
    overdue: int = 0
    overdue_ids: tuple[str, ...] = ()
    stuck: tuple[StuckParent, ...] = ()
    orphans: tuple[str, ...] = ()
    dead_schedulers: tuple[str, ...] = ()
    unlocked: tuple[str, ...] = ()
    unreadable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A server and its queues at a moment."""

    server: ServerInfo
    queues: Sequence[QueueSnapshot]


async def look(store: Store, queues: Sequence[Queue]) -> Snapshot:
    """Look at a server and some of its queues, one after the other. Writes nothing.

    Args:
        store: The server.
        queues: Those to look at.

    Raises:
        StoreUnavailable: It does not answer.
        StoreMisconfigured: It is of no use as it is set up.
    """
    server = await get_server_info(store=store)
    return Snapshot(server=server, queues=[await _look_at(queue) for queue in queues])


async def _look_at(queue: Queue) -> QueueSnapshot:
    try:
        return await _look_into(queue)
    except ScriptError as error:
        # Whatever is wrong with one queue, the others are looked at.
        return QueueSnapshot(name=queue.name, counts={}, unreadable=str(error))


async def _look_into(queue: Queue) -> QueueSnapshot:
    late = datetime.now(UTC) - timedelta(seconds=LATE)
    overdue = await queue.get_delayed_count(late)
    soonest = await queue.get_delayed(0, min(overdue, MOST) - 1) if overdue else []
    return QueueSnapshot(
        name=queue.name,
        counts=await queue.get_job_counts(),
        paused=await queue.is_paused(),
        workers=await queue.get_workers_count(),
        schedulers=await queue.get_job_schedulers_count(),
        overdue=overdue,
        overdue_ids=tuple(job.id for job in soonest),
        stuck=tuple(await queue.stuck_parents(limit=MOST)),
        orphans=tuple(await queue.find_orphans(limit=MOST)),
        dead_schedulers=tuple(await queue.dead_schedulers(overdue=LATE)),
        unlocked=tuple(await _unlocked(queue)),
    )


async def _unlocked(queue: Inspector) -> list[str]:
    """Active jobs without a lock. A job that finished between two looks is not one of them."""
    active = await queue.get_ranges("active", 0, -1)
    locks = await queue.get_locks(active)
    suspects = [id for id in active if id not in locks]
    if not suspects:
        return []
    still = set(await queue.get_ranges("active", 0, -1)) - set(await queue.get_locks(suspects))
    return [id for id in suspects if id in still]
