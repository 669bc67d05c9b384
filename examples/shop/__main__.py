"""The command line of the demo."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from examples.shop.problem import Problem
from examples.shop.shop import Options, run
from toril import TorilError

# Exit codes: what was to be done was not; and, as shells have it, ended by Ctrl-C.
_NOT_DONE, _INTERRUPTED = 1, 130


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.shop",
        description="A small shop at work: it sends receipts by mail and makes thumbnails of photos.",
    )
    parser.add_argument(
        "folder", nargs="?", help="a folder of your photos; default those that come with the demo"
    )
    parser.add_argument("--input", metavar="FOLDER", help="the same")
    parser.add_argument(
        "--orders", metavar="N", type=_count, default=200, help="how many orders; default 200"
    )
    parser.add_argument(
        "--out", metavar="FOLDER", default="out/demo", help="where all goes; default out/demo"
    )
    parser.add_argument("--plain", action="store_true", help="print lines instead of a board")
    parser.add_argument(
        "--crash", action="store_true", help="kill the worker process half-way; nothing is lost"
    )
    parser.add_argument("--url", default="embedded:", help="of a server; default a private one")
    given = parser.parse_args(arguments)
    photos = given.input or given.folder
    return Options(
        photos=Path(photos).expanduser() if photos else None,
        orders=given.orders,
        out=Path(given.out).expanduser(),
        plain=given.plain,
        crash=given.crash,
        url=given.url,
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of orders; give 1 or more")
    return int(text)


async def _run(options: Options, console: Console) -> bool:
    task = asyncio.current_task()
    assert task is not None
    # Ctrl-C is asyncio's own business.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(options, console)


def main() -> int:
    """Run the demo; answers the exit code."""
    options = read_options()
    console = Console()
    try:
        return 0 if asyncio.run(_run(options, console)) else _NOT_DONE
    except (Problem, TorilError) as problem:
        print(f"The demo could not do its work: {problem}", file=sys.stderr)
        return _NOT_DONE
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped", file=sys.stderr)
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
