"""Replays recorded scenarios.

Use: ``python -m tests.golden.replay [FOLDER] [--areas a,b] [--name TEXT] [--url URL]
[--clock wall]``
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.golden.deviations import Deviations, read_deviations, unexpected
from tests.golden.run import Mode, replay
from tests.golden.scenario import RECORDED, SUPPORTED_AREAS, Scenario, read_scenarios
from toril.embedded import ensure_server


@dataclass(frozen=True, slots=True)
class Chosen:
    """The scenarios to replay, and the areas among those asked for that toril does not have."""

    scenarios: Sequence[Scenario]
    unsupported: Sequence[str]


def choose(scenarios: Sequence[Scenario], areas: Sequence[str], name: str) -> Chosen:
    """Those of some areas (of all, if none is named) whose name holds a text."""
    wanted = [
        scenario for scenario in scenarios if (not areas or scenario.area in areas) and name in scenario.name
    ]
    return Chosen(
        [scenario for scenario in wanted if scenario.area in SUPPORTED_AREAS],
        sorted({scenario.area for scenario in wanted} - set(SUPPORTED_AREAS)),
    )


async def replay_all(scenarios: Sequence[Scenario], url: str, deviations: Deviations, mode: Mode) -> int:
    """Replay scenarios, telling what differs; answers how many failed."""
    failed = 0
    for scenario in scenarios:
        differences = await replay(scenario, url, mode)
        lines = unexpected(scenario.name, differences, deviations)
        if lines:
            failed += 1
            print(f"FAILED {scenario.name}")
            for line in lines:
                print(f"    {line}")
    return failed


def main(argv: Sequence[str] | None = None) -> int:
    """The program; answers its exit code."""
    args = _parser().parse_args(argv)
    mode = Mode(controlled=args.clock == "controlled")
    areas = [area for area in args.areas.split(",") if area]
    chosen = choose(read_scenarios(args.folder), areas, args.name)
    scenarios = [one for one in chosen.scenarios if mode.controlled or not one.needs_controlled_clock]
    with _server(args.url) as url:
        failed = asyncio.run(replay_all(scenarios, url, read_deviations(), mode))
    if chosen.unsupported:
        print(f"not yet supported: {', '.join(chosen.unsupported)}")
    if not scenarios:
        print(f"there is nothing to replay below {args.folder}")
    print(f"{len(scenarios) - failed} passed, {failed} failed")
    return 0 if scenarios and not failed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.golden.replay", description="Replay recorded scenarios."
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, default=RECORDED, help="all *.json below it are read, or one file"
    )
    parser.add_argument("--areas", default="", help="only these, separated by commas")
    parser.add_argument("--name", default="", help="only scenarios whose name holds this text")
    parser.add_argument("--url", help="of a server, whose database is emptied; default one of its own")
    parser.add_argument(
        "--clock",
        choices=["controlled", "wall"],
        default="controlled",
        help="give each step its recorded time, or use the time of day",
    )
    return parser


@contextmanager
def _server(url: str | None) -> Generator[str]:
    """The server to use: the one named, else an embedded one in a folder that goes with it."""
    if url is not None:
        yield url
        return
    with TemporaryDirectory(prefix="golden-") as folder:
        server = ensure_server(folder)
        try:
            yield server.url
        finally:
            server.release()


if __name__ == "__main__":
    sys.exit(main())
