"""``toril pause`` and ``toril resume``: whether workers take jobs of a queue."""

from __future__ import annotations

from typing import Annotated

import typer

from toril.cli.output import say, show_json
from toril.cli.running import Settings, command

Queues = Annotated[list[str], typer.Argument(metavar="QUEUE...", help="Names of queues.")]


@command
async def pause(settings: Settings, queues: Queues) -> None:
    """Let no job of these queues start until they are resumed; what runs goes on."""
    await _set(settings, queues, paused=True)


@command
async def resume(settings: Settings, queues: Queues) -> None:
    """Let jobs of these queues start again."""
    await _set(settings, queues, paused=False)


async def _set(settings: Settings, names: list[str], *, paused: bool) -> None:
    from toril.cli.connection import connected

    async with connected(settings) as server:
        opened = await server.chosen(names)
        for queue in opened:
            await (queue.pause() if paused else queue.resume())
    if settings.json:
        show_json([{"queue": queue.name, "paused": paused} for queue in opened])
    else:
        for queue in opened:
            say(f"{queue.name} {'paused' if paused else 'resumed'}")
