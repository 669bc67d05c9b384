"""``toril promote``: let delayed jobs run now."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.running import QueueName, Settings, command
from toril.cli.several import Deed, Ids, do_to_jobs


@command
async def promote(
    settings: Settings,
    queue: QueueName,
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All delayed jobs.")] = False,
) -> None:
    """Let delayed jobs run now: those of some ids, or all."""
    deed = Deed(lambda job: job.promote(), lambda opened: opened.promote_jobs(), "promoted")
    await do_to_jobs(settings, queue, ids, deed, every=every)
