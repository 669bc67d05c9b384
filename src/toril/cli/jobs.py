"""``toril jobs``: the jobs of a queue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toril.cli.output import say, show_json, show_table
from toril.cli.running import QueueName, Settings, command

if TYPE_CHECKING:
    from toril import Job, Queue

# From what is to be looked at soonest to what is over.
_STATES = ("active", "waiting", "prioritized", "delayed", "waiting-children", "failed", "completed")

# Of these the next one to run comes first, of others the latest.
_OLDEST_FIRST = ("active", "waiting", "prioritized", "delayed", "waiting-children")

# Jobs that are read at a time.
_PAGE = 100


@command
async def jobs(
    settings: Settings,
    queue: QueueName,
    state: Annotated[
        list[str] | None, typer.Option(help="Only jobs in this state; may be repeated.", show_default=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="Only jobs of this name.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
) -> None:
    """List jobs of a queue: those of each state, in the order in which they run, or the latest first."""
    from toril.cli.connection import connected
    from toril.cli.shapes import job_shape
    from toril.core.states import check_states

    states = check_states(state or _STATES)
    found: list[dict[str, Any]] = []
    async with connected(settings) as server:
        async for where, job in _walk(await server.existing(queue), states):
            if len(found) == limit:
                break
            if name is None or job.name == name:
                found.append(job_shape(job, where))
    if settings.json:
        return show_json(found)
    if not found:
        return say("There are no such jobs.")
    columns = ("ID", "NAME", "STATE", "CREATED", "ATTEMPTS#", "DATA", "REASON")
    return show_table(columns, map(_row, found))


async def _walk(queue: Queue, states: Sequence[str]) -> AsyncIterator[tuple[str, Job]]:
    """The jobs of some states, state by state; one that moves on meanwhile comes once."""
    seen: set[str] = set()
    for state in states:
        first = 0
        ascending = state in _OLDEST_FIRST
        while page := await queue.get_jobs(state, first, first + _PAGE - 1, ascending=ascending):
            first += _PAGE
            for job in page:
                if job.id not in seen:
                    seen.add(job.id)
                    yield state, job


def _row(job: dict[str, Any]) -> list[Any]:
    attempts = f"{job['attempts_made']}/{job['attempts']}"
    created = job["created_at"].strftime("%Y-%m-%d %H:%M:%S")
    return [job["id"], job["name"], job["state"], created, attempts, job["data"], job["failed_reason"]]
