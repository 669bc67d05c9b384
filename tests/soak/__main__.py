"""Runs a service for minutes under kills, reloads, deploys and outages, and counts what becomes of its jobs.

Use: ``python -m tests.soak [--seconds N] [--seed TEXT] [--rate N] [--log FILE]``
"""

from __future__ import annotations

import argparse
import math
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
    if not verdict.wrong:
        return 0
    args.log.write_text(verdict.stage.log(), encoding="utf-8")
    _say(f"What the services logged is in {args.log}")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description="Let toril's workers suffer, and count."
    )
    parser.add_argument("--seconds", type=positive, default=600, help="how long to go on (default 600)")
    parser.add_argument("--seed", default=None, help="of all that is random; default one that is new")
    parser.add_argument("--rate", type=positive, default=20, help="calls of add in a second (default 20)")
    parser.add_argument(
        "--log", type=Path, default=Path("soak.log"), help="where logs are written if something is wrong"
    )
    return parser


def positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
