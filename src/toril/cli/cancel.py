"""``toril cancel``: end jobs, whether they wait or run."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.output import say, show_json
from toril.cli.running import QueueName, Settings, command


@command
async def cancel(
    settings: Settings,
    queue: QueueName,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs.")],
    keep_children: Annotated[bool, typer.Option("--keep-children", help="Leave their children.")] = False,
) -> None:
    """Cancel jobs that wait or run, with all that are below them unless told otherwise."""
    from toril.cli.connection import connected, job_of

    async with connected(settings) as server:
        opened = await server.existing(queue)
        found = [await job_of(opened, id) for id in dict.fromkeys(ids)]
        answers = {job.id: await job.cancel(children=not keep_children) for job in found}
    if settings.json:
        jobs = [{"id": id, "answer": answer.value} for id, answer in answers.items()]
        show_json({"queue": queue, "jobs": jobs})
    else:
        for id, answer in answers.items():
            say(f"{id} {answer}: {answer.note}")
