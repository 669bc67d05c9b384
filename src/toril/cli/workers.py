"""``toril workers``: who works on which queue, and how."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from toril.cli.output import say, show_json, show_table
from toril.cli.running import AnyQueue, Settings, command
from toril.cli.spans import shown

if TYPE_CHECKING:
    from toril import Queue, WorkerInfo, WorkerStatus

_COLUMNS = (
    "QUEUE",
    "NAME",
    "WHERE",
    "RUNS#",
    "DONE#",
    "FAILED#",
    "RATE#",
    "MEMORY#",
    "LAG#",
    "UP#",
    "HEALTH",
)
_MB = 1024 * 1024


@command
async def workers(
    settings: Settings,
    queue: AnyQueue = None,
) -> None:
    """List the workers: those of toril as they tell of themselves, others if they are connected."""
    from toril.cli.connection import connected

    async with connected(settings) as server:
        found = [
            worker
            for opened in await server.chosen([queue] if queue else ())
            for worker in await all_workers_of(opened)
        ]
    if settings.json:
        return show_json(found)
    if not found:
        return say("No worker is connected.")
    show_table(_COLUMNS, map(_row, found))
    for worker in found:
        growth: dict[str, int] = worker["growth"] or {}
        for name, size in growth.items():
            say(f"{worker['host']}:{worker['pid']}: memory grows by {size} bytes with each job {name!r}")
    return None


async def workers_of(queue: Queue) -> list[dict[str, Any]]:
    """The workers of a queue, as the server's list of clients tells of them."""
    from toril.cli.shapes import worker_shape

    return [worker_shape(queue.name, worker) for worker in await queue.get_workers()]


async def all_workers_of(queue: Queue) -> list[dict[str, Any]]:
    """The workers of a queue that tell of themselves, and then those that are only connected."""
    from toril.cli.shapes import any_worker_shape

    told = await queue.workers()
    # A connection says no more of its worker than the name, so they are matched by that.
    known = Counter(worker.name for worker in told)
    found: list[WorkerStatus | WorkerInfo] = [*told]
    for connection in await queue.get_workers():
        if known[connection.name]:
            known[connection.name] -= 1
        else:
            found.append(connection)
    return [any_worker_shape(queue.name, worker) for worker in found]


def _row(worker: dict[str, Any]) -> list[Any]:
    if worker["id"] is None:
        where = [worker["queue"], worker["name"], worker["address"]]
        return [*where, *[""] * 6, shown(worker["age"]), "connected"]
    up = (datetime.now(UTC) - worker["started_at"]).total_seconds() if worker["started_at"] else None
    return [
        worker["queue"],
        worker["name"],
        f"{worker['host']}:{worker['pid']}",
        f"{len(worker['running'])}/{worker['slots']}",
        worker["completed"],
        worker["failed"],
        f"{worker['rate']:.1f}/s",
        f"{worker['rss'] / _MB:.0f}MB",
        shown(worker["loop_lag"]),
        shown(up),
        worker["health"],
    ]
