"""Where ``toril`` begins: without the extra ``cli`` it says how to get it."""

from __future__ import annotations

import sys

# What the extra `cli` brings and each command needs.
_PARTS = ("typer", "rich")

# As in `failures`, which can't be imported yet.
_UNAVAILABLE = 3


def main() -> None:
    """Run the command that ``sys.argv`` names."""
    try:
        from toril.cli.app import app

        app()
    except ModuleNotFoundError as error:
        if error.name not in _PARTS:
            raise
        sys.stderr.write('toril: the command line needs an extra: pip install "toril[cli]"\n')
        sys.exit(_UNAVAILABLE)
