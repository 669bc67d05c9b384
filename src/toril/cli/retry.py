"""``toril retry``: run finished jobs again."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.running import QueueName, Settings, command
from toril.cli.several import Deed, Ids, do_to_jobs


@command
async def retry(
    settings: Settings,
    queue: QueueName,
    ids: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="All jobs of the state.")] = False,
    state: Annotated[str, typer.Option(help="The state they are in: failed or completed.")] = "failed",
) -> None:
    """Run failed jobs again: those of some ids, or all."""
    deed = Deed(lambda job: job.retry(state), lambda opened: opened.retry_jobs(state), "retried")
    await do_to_jobs(settings, queue, ids, deed, every=every)
