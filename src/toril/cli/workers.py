"""``toril workers``: who works on which queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toril.cli.output import say, show_json, show_table
from toril.cli.running import AnyQueue, Settings, command
from toril.cli.spans import shown

if TYPE_CHECKING:
    from toril import Queue


@command
async def workers(
    settings: Settings,
    queue: AnyQueue = None,
) -> None:
    """List the workers that are connected, of toril and BullMQ alike."""
    from toril.cli.connection import connected

    async with connected(settings) as server:
        found = [
            worker
            for opened in await server.chosen([queue] if queue else ())
            for worker in await workers_of(opened)
        ]
    if settings.json:
        return show_json(found)
    if not found:
        return say("No worker is connected.")
    return show_table(("QUEUE", "NAME", "ADDRESS", "CONNECTED#", "IDLE#"), map(_row, found))


async def workers_of(queue: Queue) -> list[dict[str, Any]]:
    """The workers of a queue, as the server's list of clients tells of them."""
    from toril.cli.shapes import worker_shape

    return [worker_shape(queue.name, worker) for worker in await queue.get_workers()]


def _row(worker: dict[str, Any]) -> list[Any]:
    return [
        worker["queue"],
        worker["name"],
        worker["address"],
        shown(worker["age"]),
        shown(worker["idle"]),
    ]
