"""``toril schedulers``: what runs again and again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toril.cli.failures import not_there, unusable
from toril.cli.output import confirm, say, show_json, show_table
from toril.cli.running import AnyQueue, Settings, Yes, command
from toril.cli.spans import shown


@command
async def schedulers(
    settings: Settings,
    queue: AnyQueue = None,
    remove: Annotated[
        str | None, typer.Option(metavar="ID", help="Remove this one. Asks first.", show_default=False)
    ] = None,
    yes: Yes = False,
) -> None:
    """List job schedulers, those that run next first; or remove one."""
    if remove is not None:
        return await _remove(settings, queue, remove, yes)
    from toril.cli.connection import connected
    from toril.cli.shapes import scheduler_shape

    async with connected(settings) as server:
        found = [
            scheduler_shape(opened.name, scheduler)
            for opened in await server.chosen([queue] if queue else ())
            for scheduler in await opened.get_job_schedulers(ascending=True)
        ]
    if settings.json:
        return show_json(found)
    if not found:
        return say("There are no job schedulers.")
    columns = ("QUEUE", "ID", "NAME", "NEXT", "EVERY", "CRON", "ZONE", "RUNS#")
    return show_table(columns, map(_row, found))


async def _remove(settings: Settings, queue: str | None, id: str, yes: bool) -> None:
    from toril.cli.connection import connected

    if queue is None:
        raise unusable("name the queue of the scheduler that is to be removed")
    async with connected(settings) as server:
        opened = await server.existing(queue)
        if await opened.get_job_scheduler(id) is None:
            raise not_there(f"there is no job scheduler {id!r} in queue {queue!r}")
        confirm(f"Remove job scheduler {id!r} of queue {queue!r} with its next job?", yes=yes)
        removed = await opened.remove_job_scheduler(id)
    if settings.json:
        show_json({"queue": queue, "removed": [id] if removed else []})
    else:
        say(f"{id} removed")


def _row(scheduler: dict[str, Any]) -> list[Any]:
    return [
        scheduler["queue"],
        scheduler["id"],
        scheduler["name"],
        scheduler["next_at"].strftime("%Y-%m-%d %H:%M:%S"),
        shown(scheduler["every"]),
        scheduler["cron"],
        scheduler["tz"],
        scheduler["iteration_count"],
    ]
