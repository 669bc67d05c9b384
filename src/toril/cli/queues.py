"""``toril queues``: all queues, and how many jobs are where."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from toril.cli.output import STATE_COLUMNS, say, show_json, show_table
from toril.cli.running import Settings, command

if TYPE_CHECKING:
    from toril import Queue


@command
async def queues(settings: Settings) -> None:
    """List the queues, with how many jobs are in each state."""
    from toril.cli.connection import connected

    async with connected(settings) as server:
        found = await asyncio.gather(*map(_look, await server.chosen(())))
    if settings.json:
        return show_json(found)
    if not found:
        return say("There are no queues yet.")
    rows = [_row(queue) for queue in found]
    columns = ("QUEUE", *STATE_COLUMNS.values(), "WORKERS#", "SCHEDULES#", "")
    return show_table(columns, rows)


async def _look(queue: Queue) -> dict[str, Any]:
    return {
        "name": queue.name,
        "paused": await queue.is_paused(),
        "counts": await queue.get_job_counts(),
        "workers": await queue.get_workers_count(),
        "schedulers": await queue.get_job_schedulers_count(),
    }


def _row(queue: dict[str, Any]) -> list[Any]:
    counts = [queue["counts"][state] for state in STATE_COLUMNS]
    return [
        queue["name"],
        *counts,
        queue["workers"],
        queue["schedulers"],
        "paused" if queue["paused"] else "",
    ]
