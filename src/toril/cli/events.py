"""``toril events``: what happened in a queue, and what happens."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toril.cli.output import brief, say, show_line
from toril.cli.running import QueueName, Settings, command
from toril.cli.spans import is_span, seconds_of

if TYPE_CHECKING:
    from toril import Event, Queue
    from toril.cli.connection import Connected

_SINCE = "From here: a span ago (10m), an instant, an event's id, or 0 for all that is kept."


@command
async def events(
    settings: Settings,
    queue: QueueName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with those to come.")] = False,
    since: Annotated[str | None, typer.Option(help=_SINCE, show_default=False)] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="Only events of this name; may be repeated.", show_default=False)
    ] = None,
    job: Annotated[
        str | None, typer.Option(metavar="ID", help="Only those of this job.", show_default=False)
    ] = None,
) -> None:
    """Show the events of a queue: those that are kept, or with --follow those to come.

    With --json each is one line.
    """
    from toril.cli.connection import connected
    from toril.cli.shapes import event_shape

    after = ("$" if follow else "0") if since is None else _place(since)
    async with connected(settings) as server:
        opened = await server.existing(queue)
        source = _follow(server, opened, after) if follow else opened.iter_events(after)
        async with aclosing(source) as told:
            async for event in told:
                if (name and event.name not in name) or (job is not None and event.job_id != job):
                    continue
                if settings.json:
                    show_line(event_shape(event))
                else:
                    say(_line(event_shape(event)))


async def _follow(server: Connected, queue: Queue, after: str) -> AsyncGenerator[Event]:
    from toril import QueueEvents

    reader = QueueEvents(queue.name, store=server.store, prefix=server.prefix, last_event_id=after)
    async with reader:
        async for event in reader:
            yield event


def _place(since: str) -> str:
    """The id behind which to begin. Ids begin with when they were made, in ms."""
    if since in ("0", "$"):
        return since
    if is_span(since) and not (since.isdigit() and len(since) > 10):
        return f"{max(int((time.time() - seconds_of(since, 'since')) * 1000), 0)}-0"
    try:
        return f"{int(datetime.fromisoformat(since).timestamp() * 1000)}-0"
    except ValueError:
        return since


def _line(event: dict[str, Any]) -> str:
    at: datetime | None = event["at"]
    told = at.isoformat(sep=" ", timespec="milliseconds") if at is not None else ""
    rest = {key: value for key, value in event["fields"].items() if key not in ("event", "jobId")}
    more = " ".join(f"{key}={brief(value)}" for key, value in rest.items())
    return brief(f"{told:29}  {event['event']:17} {event['job'] or '':12} {more}").rstrip()
