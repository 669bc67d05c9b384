"""``toril remove``: delete single jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.output import confirm, say, show_json
from toril.cli.running import QueueName, Settings, Yes, command


@command
async def remove(
    settings: Settings,
    queue: QueueName,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs.")],
    keep_children: Annotated[bool, typer.Option("--keep-children", help="Leave their children.")] = False,
    yes: Yes = False,
) -> None:
    """Remove jobs, with their children unless told otherwise. Asks first."""
    from toril.cli.connection import connected, job_of

    async with connected(settings) as server:
        opened = await server.existing(queue)
        found = [await job_of(opened, id) for id in ids]
        confirm(f"Remove {len(found)} job(s) of queue {queue!r}?", yes=yes)
        for job in found:
            await job.remove(remove_children=not keep_children)
    if settings.json:
        show_json({"queue": queue, "removed": ids})
    else:
        say(f"{len(ids)} removed")
