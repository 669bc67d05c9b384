"""What commands print: JSON for programs, tables and lines for people, questions."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from toril.cli.failures import refused

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: The states of jobs in the order in which they are shown, with names short enough for a terminal's width.
STATE_COLUMNS = {
    "active": "ACTIVE#",
    "waiting": "WAIT#",
    "prioritized": "PRIO#",
    "delayed": "DELAYED#",
    "waiting-children": "CHILDREN#",
    "completed": "DONE#",
    "failed": "FAILED#",
}

# Columns of a table that nobody looks at: lines for other programs are never broken or cut.
_WIDE = 10_000
# Characters of the first column that are shown even if the terminal is narrow.
_NAME = 8
# Of a text in a table, a terminal's line has place for no more anyhow.
_MOST_CHARACTERS = 200


def show_json(value: object) -> None:
    """One JSON document."""
    import msgspec

    typer.echo(msgspec.json.format(_encoded(value), indent=2))


def show_line(value: object) -> None:
    """One line of a stream of JSON documents; whoever reads it gets it now."""
    typer.echo(_encoded(value))
    sys.stdout.flush()


def say(text: str) -> None:
    """A line for people."""
    typer.echo(text)


def note(text: str) -> None:
    """A line that is no output: on stderr."""
    typer.echo(f"toril: {text}", err=True)


def _encoded(value: object) -> bytes:
    import msgspec

    return msgspec.json.encode(value, enc_hook=str)


def plain(value: object) -> str:
    """A value as text that does nothing to a terminal: what can't be printed is shown as a sign for it."""
    text = value if isinstance(value, str) else "" if value is None else _encoded(value).decode()
    return "".join(
        sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def brief(value: object) -> str:
    """A value in one line of bounded length."""
    text = plain(value).replace("\n", " ")
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def console() -> Console:
    """Where tables go. Without a terminal, or with NO_COLOR, they are plain."""
    from rich.console import Console

    terminal = Console(highlight=False, markup=False, emoji=False)
    if terminal.is_terminal:
        return terminal
    return Console(highlight=False, markup=False, emoji=False, width=_WIDE)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> Table:
    """A table; columns whose names end in ``#`` hold numbers."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, title=title, title_justify="left", header_style="bold")
    for place, column in enumerate(columns):
        right, first = column.endswith("#"), not place
        made.add_column(
            column.rstrip("#"),
            justify="right" if right else "left",
            # What a row is about stays readable, whatever else has to be folded.
            no_wrap=right or first,
            min_width=_NAME if first else None,
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(brief(cell)) for cell in row))
    return made


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table."""
    console().print(table(columns, rows))


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something that can't be undone.

    Raises:
        Failure: The answer was no, or there was nobody to answer.
    """
    if yes:
        return
    with _interruptible():
        # Not by typer, which writes a part of its question to stdout: that is for what programs read.
        typer.echo(f"{question} [y/N] ", err=True, nl=False)
        answer = sys.stdin.readline()
    if not answer:
        typer.echo(err=True)
        raise refused("nobody answered, so nothing was done; --yes goes on without asking")
    if answer.strip().lower() not in ("y", "yes"):
        raise refused("nothing was done")


@contextmanager
def _interruptible() -> Generator[None]:
    """Let Ctrl-C end a read: a running event loop would only note it, and look when the read is over."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
