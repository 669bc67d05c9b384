"""Counts and budgets as a table, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.guard.budgets import FAR_BELOW, Count, Verdict
from benchmarks.guard.scenarios import SCENARIOS

_UNITS = {scenario.name: scenario.unit for scenario in SCENARIOS}
_HEADS = ("scenario", "measure", "count", "budget", "room", "")


def table(verdicts: Sequence[Verdict]) -> list[str]:
    """One line for each count."""
    rows = [_HEADS, *(_row(verdict) for verdict in verdicts)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADS))]
    return [
        "  ".join(
            cell.rjust(width) if 2 <= place <= 4 else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(verdict: Verdict) -> tuple[str, ...]:
    count, budget = verdict.count, verdict.budget
    name = (
        count.measure if count.measure.startswith("peak") else f"{count.measure} a {_UNITS[count.scenario]}"
    )
    said = "ABOVE BUDGET" if budget is not None and verdict.fails else "far below" * verdict.is_far_below
    if budget is None:
        return (count.scenario, name, number(count.value), "–", "", "NO BUDGET" * verdict.fails)
    room = f"{(budget - count.value) / budget:.1%}" if budget else "–"
    return (count.scenario, name, number(count.value), number(budget), room, said)


def number(value: float) -> str:
    """Four digits at least, none of them behind the point if it is large."""
    return f"{value:,.0f}".replace(",", " ") if abs(value) >= 1000 else f"{value:.4g}"


def conclusions(verdicts: Sequence[Verdict]) -> list[str]:
    """What is to be done, in words."""
    unknown = {verdict.count.basis: None for verdict in verdicts if not verdict.is_known}
    lines = [f"There are no budgets for {basis}; those counts were not judged." for basis in unknown]
    if low := [verdict for verdict in verdicts if verdict.is_far_below]:
        lines.append(
            f"{len(low)} counts are more than {1 - FAR_BELOW:.0%} below their budget; "
            "lower it by `make bench-guard ARGS=--update`."
        )
    if failed := [verdict for verdict in verdicts if verdict.fails]:
        lines.append(f"{len(failed)} counts are above their budget or have none:")
        lines += [f"  {_about(verdict.count)}" for verdict in failed]
        lines.append(
            "Make it cheaper, or say in the commit why it is worth that, and run the same with --update."
        )
    else:
        lines.append("No count is above its budget.")
    return lines


def _about(count: Count) -> str:
    parts = ", ".join(f"{name} {number(part)}" for name, part in count.parts.items())
    return f"{count.scenario}: {count.measure} ({count.basis}){parts and ': '}{parts}"
