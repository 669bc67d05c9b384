"""The command ``toril top``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from toril.cli.output import console, note, show_json, show_line
from toril.cli.running import Settings, command

if TYPE_CHECKING:
    from rich.console import RenderableType

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
        terminal.print(render(terminal.width, sample))


async def _watch(sampler: Sampler, interval: float, *, json: bool) -> None:
    from rich.live import Live

    from toril.cli.top.keys import leaving
    from toril.cli.top.screen import render

    stop, terminal = asyncio.Event(), console()

    def drawn(sample: Sample, problem: str | None) -> RenderableType:
        return render(terminal.width, sample, problem)

    with leaving(stop):
        if json:
            await _loop(sampler, interval, stop, _show_line)
        elif not terminal.is_terminal:
            await _loop(
                sampler, interval, stop, lambda sample, problem: terminal.print(drawn(sample, problem))
            )
        else:
            with _quiet(), Live(console=terminal, screen=True, auto_refresh=False) as live:

                def show(sample: Sample, problem: str | None) -> None:
                    live.update(drawn(sample, problem), refresh=True)

                await _loop(sampler, interval, stop, show)


def _show_line(sample: Sample, problem: str | None) -> None:
    if problem is None:
        show_line(sample)
    else:
        note(problem)


@contextmanager
def _quiet() -> Generator[None]:
    """Write no warnings across the screen; that the server does not answer is shown on it."""
    logger = logging.getLogger("toril")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


async def _loop(sampler: Sampler, interval: float, stop: asyncio.Event, show: Show) -> None:
    from toril import StoreUnavailable

    sample = await sampler.sample()
    show(sample, None)
    while not await _stopped(stop, interval):
        try:
            sample = await sampler.sample()
        except StoreUnavailable as error:
            show(sample, f"{error}; trying again")
        else:
            show(sample, None)


async def _stopped(stop: asyncio.Event, interval: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), interval)
    return stop.is_set()
