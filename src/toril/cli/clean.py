"""``toril clean``: delete old jobs of a state."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.output import confirm, say, show_json
from toril.cli.running import QueueName, Settings, Yes, command
from toril.cli.spans import seconds_of, shown


@command
async def clean(
    settings: Settings,
    queue: QueueName,
    state: Annotated[str, typer.Option(help="The state of the jobs.")] = "completed",
    older_than: Annotated[str, typer.Option(help="Only jobs older than this: 90, 10m, 7d.")] = "0",
    limit: Annotated[int, typer.Option(min=0, help="Look at so many at most; 0 is all.")] = 0,
    yes: Yes = False,
) -> None:
    """Remove jobs of a state that are older than you say. Asks first."""
    from toril import OptionError
    from toril.cli.connection import connected
    from toril.core.removal import CLEANABLE

    if state not in CLEANABLE:
        raise OptionError.no_such("state", state, CLEANABLE)
    grace = seconds_of(older_than, "older_than")
    age = f" that are older than {shown(grace)}" if grace else ""
    async with connected(settings) as server:
        opened = await server.existing(queue)
        confirm(f"Remove {state} jobs of queue {queue!r}{age}?", yes=yes)
        removed = await opened.clean(grace, limit=limit, state=state)
    if settings.json:
        show_json({"queue": queue, "state": state, "removed": removed})
    else:
        say(f"{len(removed)} removed")
