"""Runs a service for minutes under kills, reloads, deploys and outages, and counts what becomes of its jobs.

Use: ``python -m tests.soak [--seconds N] [--seed TEXT] [--rate N]``
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.soak.campaign import Soak
from tests.soak.plan import Plan
from tests.soak.report import summary
from tests.soak.troubles import at_random


def main(argv: Sequence[str] | None = None) -> int:
    """The program; answers its exit code."""
    args = _parser().parse_args(argv)
    seed = args.seed if args.seed is not None else str(time.time_ns() % 1_000_000)
    _say(f"seed {seed}")
    with TemporaryDirectory(prefix="soak-") as folder:
        soak = Soak(Plan(seed, args.rate), Path(folder), _say)
        verdict = soak.run(at_random(Random(f"{seed} troubles")), args.seconds)
        _say(summary(verdict))
    return 1 if verdict.wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Let toril's workers suffer, and count."
    )
    parser.add_argument("--seconds", type=float, default=600, help="how long to go on (default 600)")
    parser.add_argument("--seed", default=None, help="of all that is random; default one that is new")
    parser.add_argument("--rate", type=float, default=20, help="calls of add in a second (default 20)")
    return parser


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
