"""What each count may be at most, from a file that is written by the guard itself."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Budgets by what they depend on, scenario and measure.
Budgets = Mapping[str, Mapping[str, Mapping[str, float]]]

#: What counts depend on that any server and any Python give.
ANYWHERE = "anywhere"
#: A budget that would now be smaller than this share of itself should be lowered.
FAR_BELOW = 0.85

_DIGITS = 4
_HEAD = """\
# What each job may cost at most, by what that depends on, scenario and measure: see docs/performance.md.
# Written by `make bench-guard ARGS=--update`.
"""


@dataclass(frozen=True, slots=True)
class Margin:
    """How much more than the count a budget is.

    Attributes:
        share: Of the count.
        more: Besides, for counts near zero.
    """

    share: float
    more: float = 0


#: By measure: well above the spread of repeated runs, see docs/performance.md.
MARGINS = {
    "script calls": Margin(0.02),
    "commands": Margin(0.02),
    "round trips": Margin(0.02),
    "bytes sent": Margin(0.03),
    "bytes received": Margin(0.03),
    "bytecodes": Margin(0.05),
    "calls": Margin(0.05),
    "blocks left": Margin(0.1, 0.5),
    "peak bytes": Margin(0.2),
    "instructions": Margin(0.08),
    "server instructions": Margin(0.08),
}


@dataclass(frozen=True, slots=True)
class Count:
    """Something counted, for one job or whatever the scenario's unit is.

    Attributes:
        basis: What it depends on: ``ANYWHERE``, or the version of something.
        parts: What it is the sum of, by name, if that says more.
    """

    basis: str
    scenario: str
    measure: str
    value: float
    parts: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Verdict:
    """A count beside its budget, if there is one."""

    count: Count
    budget: float | None
    is_known: bool

    @property
    def fails(self) -> bool:
        """Whether it is above its budget, or has none where others of its basis have one."""
        return self.is_known if self.budget is None else self.count.value > self.budget

    @property
    def is_far_below(self) -> bool:
        """Whether the budget should be lowered."""
        return self.budget is not None and budget_of(self.count) < FAR_BELOW * self.budget


def budget_of(count: Count) -> float:
    """What a count may be from now on: as much as it is, with a margin, rounded up."""
    margin = MARGINS[count.measure]
    wanted = max(count.value, 0) * (1 + margin.share) + margin.more
    if wanted == 0:
        return 0.0
    places = max(_DIGITS - 1 - math.floor(math.log10(wanted)), 0)
    # Rounded first, or the last bit of a product would round up a digit.
    return math.ceil(round(wanted * 10**places, 6)) / 10**places


def judge(counts: Sequence[Count], budgets: Budgets) -> list[Verdict]:
    """Hold each count against its budget."""
    return [
        Verdict(
            count,
            budgets.get(count.basis, {}).get(count.scenario, {}).get(count.measure),
            count.basis == ANYWHERE or count.basis in budgets,
        )
        for count in counts
    ]


def read(path: Path) -> Budgets:
    """The budgets of a file; none, if there is no file."""
    return tomllib.loads(path.read_text()) if path.exists() else {}


def updated(budgets: Budgets, counts: Sequence[Count], scenarios: Sequence[str]) -> Budgets:
    """Budgets with those of the counts anew.

    Args:
        scenarios: All there are; budgets of others are dropped.
    """
    fresh: dict[str, dict[str, dict[str, float]]] = {}
    for basis, table in budgets.items():
        fresh[basis] = {name: dict(table[name]) for name in scenarios if name in table}
    for basis, name in {(count.basis, count.scenario): None for count in counts}:
        mine = [count for count in counts if (count.basis, count.scenario) == (basis, name)]
        table = fresh.setdefault(basis, {})[name] = {count.measure: budget_of(count) for count in mine}
        # Calls that leave one behind the other share a trip or don't: that is up to the server.
        if "round trips" in table:
            table["round trips"] = max(table["round trips"], table.get("script calls", 0.0))
    return fresh


def write(path: Path, budgets: Budgets) -> None:
    """Write budgets to a file, in a fixed order."""
    lines = [_HEAD]
    for basis in sorted(budgets, key=lambda basis: (basis != ANYWHERE, basis)):
        for scenario, table in sorted(budgets[basis].items()):
            lines.append(f"[{_key(basis)}.{scenario}]")
            lines += [f"{_key(measure)} = {value:.12g}" for measure, value in table.items()]
            lines.append("")
    path.write_text("\n".join(lines))


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)
