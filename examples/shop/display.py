"""What one sees while the shop is at work: a board on a terminal, lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

# Lines of the latest events on the board.
_NOTES, _HEAVY_NOTES = 8, 5
# Without a board: seconds between two lines, and how many failed attempts are told of.
_EACH, _FIRST_NOTES = 1.0, 3


@dataclass(slots=True)
class Line:
    """A queue at one moment.

    Attributes:
        total: How many jobs there are to be done.
        counts: How many are in each state.
        retries: How many attempts were made beyond each job's first.
        rate: Jobs finished in a second.
    """

    name: str
    total: int
    counts: Mapping[str, int]
    retries: int
    rate: float

    @property
    def finished(self) -> int:
        """Jobs that will not change any more."""
        return self.counts["completed"] + self.counts["failed"]


@dataclass(slots=True)
class View:
    """All queues at one moment; ``worker`` says how the worker process is."""

    seconds: float
    worker: str
    lines: list[Line]


class Weight(Enum):
    """How much it matters that something has happened: often, rarely, or never if all goes well."""

    LIGHT = "dim"
    MIDDLE = "yellow"
    HEAVY = "bold red"


class Board(Protocol):
    """Something that shows how it goes."""

    def show(self, view: View) -> None:
        """This is how it is now."""
        ...

    def note(self, text: str, weight: Weight = Weight.LIGHT) -> None:
        """This has happened."""
        ...


@contextmanager
def open_board(console: Console, *, plain: bool) -> Generator[Board]:
    """A board as the console allows; ``plain`` for lines in any case."""
    if plain or not console.is_terminal:
        yield PlainBoard(console)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield LiveBoard(live)


class PlainBoard:
    """One line a second."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0
        self._next = 0.0

    def show(self, view: View) -> None:
        """A line, if it is time for one or all is done."""
        if view.seconds < self._next and any(line.finished < line.total for line in view.lines):
            return
        self._next = view.seconds + _EACH
        parts = [f"{line.name} {line.finished}/{line.total}, {_details(line)}" for line in view.lines]
        self._print(f"{view.seconds:5.1f} s  " + " | ".join(parts))

    def note(self, text: str, weight: Weight = Weight.LIGHT) -> None:
        """What matters, and the first few of what doesn't; later ones are found in the numbers."""
        self._told += weight is Weight.LIGHT
        if weight is not Weight.LIGHT or self._told <= _FIRST_NOTES:
            self._print(f"         {text}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class LiveBoard:
    """A table of the queues with what happened last below it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._notes: deque[Text] = deque([Text()] * _NOTES, maxlen=_NOTES)
        self._heavy: deque[Text] = deque(maxlen=_HEAVY_NOTES)

    def show(self, view: View) -> None:
        """Draw all anew."""
        title = f"A small shop · worker: {view.worker} · {view.seconds:.1f} s"
        content = Group(_table(view.lines), Text(), *self._notes, *self._heavy)
        self._live.update(Panel(content, title=Text(title), title_align="left"), refresh=True)

    def note(self, text: str, weight: Weight = Weight.LIGHT) -> None:
        """Add a line, and let the oldest one go; what is heavy is not driven out by what is light."""
        notes = self._heavy if weight is Weight.HEAVY else self._notes
        notes.append(Text(text, style=weight.value, no_wrap=True, overflow="ellipsis"))


def _table(lines: list[Line]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("queue", no_wrap=True)
    table.add_column("", ratio=1)
    for column in ("done", "waiting", "running", "later", "retries", "failed", "per s"):
        table.add_column(column, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line))
    return table


def _cells(line: Line) -> tuple[RenderableType, ...]:
    counts = line.counts
    return (
        Text(line.name, style="bold"),
        ProgressBar(total=max(line.total, 1), completed=line.finished),
        f"{line.finished}/{line.total}",
        str(counts["waiting"]),
        str(counts["active"]),
        Text(str(counts["delayed"]), style="yellow" if counts["delayed"] else ""),
        Text(str(line.retries), style="yellow" if line.retries else ""),
        Text(str(counts["failed"]), style="bold red" if counts["failed"] else ""),
        f"{line.rate:.0f}",
    )


def _details(line: Line) -> str:
    parts = [f"{line.rate:.0f}/s"]
    for name, number in (
        ("delayed", line.counts["delayed"]),
        ("retries", line.retries),
        ("failed", line.counts["failed"]),
    ):
        if number:
            parts.append(f"{number} {name}")
    return ", ".join(parts)
