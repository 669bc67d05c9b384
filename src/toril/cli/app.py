"""All commands, and what is said before the name of one.

To add a command, write it as in ``running``, in a file of its own, and list it here. Such files import what
they need of toril when they run, so that ``--help`` and completion stay quick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from toril.cli import (
    add,
    cancel,
    clean,
    doctor,
    events,
    job,
    jobs,
    pausing,
    promote,
    queues,
    remove,
    retry,
    schedulers,
    server,
    top,
    worker,
    workers,
)
from toril.cli.running import Json, Prefix, Settings, Url

# The commands under the headings of the help.
_COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Look": (
        queues.queues,
        jobs.jobs,
        job.job,
        schedulers.schedulers,
        workers.workers,
        events.events,
        top.top,
    ),
    "Change": (
        add.add,
        retry.retry,
        promote.promote,
        cancel.cancel,
        remove.remove,
        clean.clean,
        pausing.pause,
        pausing.resume,
    ),
    "Operate": (worker.worker, doctor.doctor),
}

app: typer.Typer = typer.Typer(
    name="toril",
    help="Background jobs on Redis or Valkey: look into queues, change them, keep them well.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from toril import __version__

        typer.echo(f"toril {__version__}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    url: Url = None,
    prefix: Prefix = None,
    json: Json = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """What is said before the command's name holds unless it is said behind it again."""
    del version
    ctx.obj = Settings().refined(url, prefix, json)


for _heading, _commands in _COMMANDS.items():
    for _command in _commands:
        app.command(rich_help_panel=_heading)(_command)
app.add_typer(server.app, name="server", rich_help_panel="Operate")
