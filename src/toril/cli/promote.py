"""``toril promote``: let delayed jobs run now."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.failures import unusable
from toril.cli.output import say, show_json
from toril.cli.running import QueueName, Settings, command


@command
async def promote(
    settings: Settings,
    queue: QueueName,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of jobs.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All delayed jobs.")] = False,
) -> None:
    """Let delayed jobs run now: those of some ids, or all."""
    from toril.cli.connection import connected, job_of

    if bool(ids) == every:
        raise unusable("name the ids of jobs, or else --all")
    async with connected(settings) as server:
        opened = await server.existing(queue)
        if every:
            count = await opened.promote_jobs()
        else:
            found = [await job_of(opened, id) for id in ids or ()]
            for job in found:
                await job.promote()
            count = len(found)
    if settings.json:
        show_json({"queue": queue, "promoted": count})
    else:
        say(f"{count} promoted")
