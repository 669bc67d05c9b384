"""Doing something to jobs of a queue: to those of some ids, or to all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from toril.cli.failures import unusable
from toril.cli.output import say, show_json

if TYPE_CHECKING:
    from toril import Job, Queue
    from toril.cli.running import Settings

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of jobs.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done.

    Attributes:
        one: Does it to a job.
        all: Does it to all jobs of a queue; answers how many they were.
        done: What has become of them, in a word.
    """

    one: Callable[[Job], Awaitable[None]]
    all: Callable[[Queue], Awaitable[int]]
    done: str


async def do_to_jobs(
    settings: Settings, queue: str, ids: list[str] | None, deed: Deed, *, every: bool
) -> None:
    """Do it to the jobs of these ids, all of which must be there, or to all; tell how many they were."""
    from toril.cli.connection import connected, job_of

    if bool(ids) == every:
        raise unusable("name the ids of jobs, or else --all")
    async with connected(settings) as server:
        opened = await server.existing(queue)
        if every:
            count = await deed.all(opened)
        else:
            found = [await job_of(opened, id) for id in ids or ()]
            for job in found:
                await deed.one(job)
            count = len(found)
    if settings.json:
        show_json({"queue": queue, deed.done: count})
    else:
        say(f"{count} {deed.done}")
