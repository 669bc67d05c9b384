"""The command ``toril top``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from toril.cli.output import console, show_json, show_line
from toril.cli.running import Settings, command

if TYPE_CHECKING:
    from toril.cli.top.sample import Sample
    from toril.cli.top.sampling import Sampler

Show = Callable[["Sample", str | None], None]


@command
async def top(
    settings: Settings,
    queues: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUEUE]...", help="Only these queues.", show_default=False),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="Look once, after one interval, and leave.")] = False,
) -> None:
    """Watch queues live: counts, rates, times, workers and running jobs. q leaves.

    With --json each sample is one line; with --once it is one document.
    """
    from toril.cli.connection import connected
    from toril.cli.top.sampling import Sampler

    async with connected(settings) as server:
        names = [queue.name for queue in await server.chosen(queues)] if queues else []
        async with Sampler(server, names) as sampler:
            if once:
                await asyncio.sleep(interval)
                _show_once(await sampler.sample(), json=settings.json)
            else:
                await _watch(sampler, interval, json=settings.json)


def _show_once(sample: Sample, *, json: bool) -> None:
    from toril.cli.top.screen import render

    if json:
        show_json(sample)
    else:
        terminal = console()
        terminal.print(render(sample, terminal.width))


async def _watch(sampler: Sampler, interval: float, *, json: bool) -> None:
    from rich.live import Live

    from toril.cli.top.keys import leaving
    from toril.cli.top.screen import render

    stop, terminal = asyncio.Event(), console()
    live = (
        Live(console=terminal, screen=True, auto_refresh=False) if terminal.is_terminal and not json else None
    )

    def show(sample: Sample, problem: str | None) -> None:
        if json:
            show_line(sample)
        elif live is not None:
            live.update(render(sample, terminal.width, problem), refresh=True)
        else:
            terminal.print(render(sample, terminal.width, problem))

    with leaving(stop), live or nullcontext():
        await _loop(sampler, interval, stop, show)


async def _loop(sampler: Sampler, interval: float, stop: asyncio.Event, show: Show) -> None:
    from toril import StoreUnavailable

    sample: Sample | None = None
    while not stop.is_set():
        problem: str | None = None
        try:
            sample = await sampler.sample()
        except StoreUnavailable as error:
            problem = f"{error}; trying again"
        if sample is not None:
            show(sample, problem)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), interval)
