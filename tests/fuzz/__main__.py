"""Tells stories to BullMQ for Node and to toril, and says where they differ.

Use: ``python -m tests.fuzz [--seconds N] [--seed TEXT] [--story FILE] [--go-on]``
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.campaign import Campaign, Finding
from tests.fuzz.duel import Duel
from tests.fuzz.story import read_story
from toril.embedded import ensure_server


def main(argv: Sequence[str] | None = None) -> int:
    """The program; answers its exit code."""
    args = _parser().parse_args(argv)
    # Stories do on purpose what toril warns of.
    logging.getLogger("toril").setLevel(logging.CRITICAL)
    with TemporaryDirectory(prefix="fuzz-") as folder, ensure_server(folder) as server:
        return asyncio.run(_run(args, Duel(server)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Compare toril with BullMQ for Node."
    )
    parser.add_argument("--seconds", type=float, default=600, help="how long to go on (default 600)")
    parser.add_argument("--seed", default=None, help="of the first story; default one that is new each time")
    parser.add_argument("--story", type=Path, help="tell this story alone")
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-story.json"), help="where a failing story is written"
    )
    return parser


async def _run(args: argparse.Namespace, duel: Duel) -> int:
    duel.attach()
    try:
        if args.story:
            return await _tell_again(duel, args.story)
        return await _search(Campaign(duel), args)
    finally:
        await duel.close()


async def _tell_again(duel: Duel, path: Path) -> int:
    story = read_story(path)
    found = await duel.replay(story)
    if found is None:
        print(f"{path}: no difference in {len(story.steps)} steps")
        return 0
    number, lines = found
    print(f"{path}, after step {number} ({story.steps[number]}):", *lines, sep="\n  ")
    return 1


async def _search(campaign: Campaign, args: argparse.Namespace) -> int:
    seed = args.seed if args.seed is not None else str(time.time_ns() % 1_000_000)
    print(f"seed {seed}", flush=True)
    end = time.monotonic() + args.seconds
    number = 0
    finding: Finding | None = None
    while time.monotonic() < end and finding is None:
        finding = await campaign.tell(f"{seed}/{number}")
        number += 1
    print(f"{campaign.stories} stories, {campaign.duel.steps} steps")
    for reason, count in campaign.deviations.items():
        print(f"  {count} times, as it is meant to be: {reason}")
    if finding is None:
        return 0
    shortest = await campaign.shortest(finding)
    args.out.write_text(shortest.story.text(), encoding="utf-8")
    print(f"BullMQ and toril differ in story {seed}/{number - 1}; the shortest one that shows it:")
    print(shortest)
    print(f"To tell it again: make fuzz STORY={args.out}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
