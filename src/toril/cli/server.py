"""``toril server``: the embedded server of a folder."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from toril.cli.output import confirm, say, show_json, show_table
from toril.cli.running import Settings, Yes, command

Home = Annotated[
    str | None,
    typer.Option(
        "--home", help="Its folder; default TORIL_HOME, or .toril of the working folder.", show_default=False
    ),
]

app: typer.Typer = typer.Typer(help="Start, stop and look at the embedded server.", no_args_is_help=True)


def _location(settings: Settings, home: str | None) -> str | None:
    """The folder that is meant: by --home, by the URL, or by default."""
    from toril.store.opening import default_url

    url = settings.url or default_url()
    return home or (url.removeprefix("embedded:") if url.startswith("embedded:") else "") or None


@command
def start(settings: Settings, home: Home = None) -> None:
    """Start the embedded server and keep it running until it is stopped, also when nobody uses it."""
    from toril.embedded.keep import keep_in_background

    location = _location(settings, home)
    keep_in_background(location)
    found = _look(location)
    if settings.json:
        show_json(found)
    else:
        say(f"The server in {found['home']} is running: {found['url']}")


@command
def stop(
    settings: Settings,
    home: Home = None,
    yes: Yes = False,
) -> None:
    """Stop the embedded server; its data stay. Asks if other processes use it."""
    from toril.embedded import stop as stop_server

    location = _location(settings, home)
    found = _look(location)
    if found["users"]:
        confirm(f"{len(found['users'])} process(es) use the server in {found['home']}. Stop it?", yes=yes)
    stopped = stop_server(location)
    if settings.json:
        show_json({"home": found["home"], "stopped": stopped})
    else:
        say(f"The server in {found['home']} {'was stopped' if stopped else 'was not running'}")


@command
def status(settings: Settings, home: Home = None) -> None:
    """Show whether the embedded server runs, and who uses it."""
    found = _look(_location(settings, home))
    if settings.json:
        show_json(found)
    else:
        show_table(("SERVER", "running" if found["running"] else "stopped"), list(found.items()))


@command
def path(settings: Settings, home: Home = None) -> None:
    """Print the folder of the embedded server."""
    found = _look(_location(settings, home))
    if settings.json:
        show_json({"home": found["home"], "log": found["log"], "socket": found["socket"]})
    else:
        say(found["home"])


def _look(location: str | None) -> dict[str, Any]:
    from urllib.parse import quote

    from toril.embedded import status as status_of
    from toril.embedded.keep import keeper_of

    found = status_of(location)
    keeper = keeper_of(location) if found.running else None
    users = None if found.users is None else [pid for pid in found.users if pid != keeper]
    socket = str(found.socket_path) if found.socket_path is not None else None
    return {
        "home": str(found.home),
        "running": found.running,
        "pid": found.pid,
        "url": f"unix://{quote(socket)}?db=0" if socket is not None else None,
        "socket": socket,
        "log": str(found.log_path),
        "kept": keeper is not None,
        "users": users,
    }


for _command in (start, stop, status, path):
    app.command()(_command)
