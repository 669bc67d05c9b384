"""Count what each job costs, and hold it against the budgets: `make bench-guard`.

It fails if a count is above its budget. Nothing is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks.guard import callgrind
from benchmarks.guard.budgets import Budgets, judge, read, updated, write
from benchmarks.guard.counting import BUILD, count_all
from benchmarks.guard.report import conclusions, table
from benchmarks.guard.scenarios import SCENARIOS, choose
from benchmarks.process import MeasureError

BUDGETS = Path(__file__).with_name("budgets.toml")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write budgets from what is counted now")
    parser.add_argument(
        "--instructions", action="store_true", help="count instructions even if they have no budgets here"
    )
    parser.add_argument("--only", default="", metavar="NAMES", help="scenarios, by commas")
    options = parser.parse_args()
    try:
        names = [each.name for each in choose([name for name in options.only.split(",") if name])]
        budgets = read(BUDGETS)
        wanted = options.instructions or options.update
        by_instruction = _counts_instructions(budgets, wanted=wanted)
        counts = asyncio.run(count_all(names, by_instruction=by_instruction))
    except (ValueError, MeasureError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.update:
        budgets = updated(budgets, counts, [each.name for each in SCENARIOS])
        write(BUDGETS, budgets)
    verdicts = judge(counts, budgets)
    print("\n".join([*table(verdicts), "", *conclusions(verdicts)]))
    return any(verdict.fails for verdict in verdicts)


def _counts_instructions(budgets: Budgets, *, wanted: bool) -> bool:
    """Instructions depend on how Python was built: they are counted where there are budgets, or on demand."""
    if not callgrind.is_available():
        print("Instructions are not counted: valgrind is not installed.\n")
        return False
    if not wanted and BUILD not in budgets:
        print(f"Instructions are not counted: there are no budgets for {BUILD}; see --instructions.\n")
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
