"""``toril retry``: run finished jobs again."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.failures import unusable
from toril.cli.output import say, show_json
from toril.cli.running import QueueName, Settings, command


@command
async def retry(
    settings: Settings,
    queue: QueueName,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of jobs.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All jobs of the state.")] = False,
    state: Annotated[str, typer.Option(help="The state they are in: failed or completed.")] = "failed",
) -> None:
    """Run failed jobs again: those of some ids, or all."""
    from toril.cli.connection import connected, job_of

    if bool(ids) == every:
        raise unusable("name the ids of jobs, or else --all")
    async with connected(settings) as server:
        opened = await server.existing(queue)
        if every:
            count = await opened.retry_jobs(state)
        else:
            found = [await job_of(opened, id) for id in ids or ()]
            for job in found:
                await job.retry(state)
            count = len(found)
    if settings.json:
        show_json({"queue": queue, "retried": count})
    else:
        say(f"{count} retried")
