"""A replayed scenario against its recording."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.golden.differences import Differences
from tests.golden.matching import Matcher
from tests.golden.returned import UNSET, ReturnComparison
from tests.golden.scenario import Scenario
from tests.golden.stored import Database, StateComparison
from tests.golden.tokens import Clock
from tests.golden.values import JSON, as_mapping


@dataclass
class Replay:
    """What came of a scenario this time.

    Attributes:
        returns: What the steps gave back, by their keys; what was raised as ``{"error": ...}``.
        snapshots: The database at certain steps, by name.
        state: The database after the last step.
    """

    returns: dict[str, JSON] = field(default_factory=dict[str, JSON])
    snapshots: dict[str, Database] = field(default_factory=dict[str, Database])
    state: Database = field(default_factory=Database)


def compare(scenario: Scenario, replay: Replay, clock: Clock) -> list[str]:
    """What differs, a line each; an empty list is conformance."""
    differences = Differences()
    matcher = Matcher(clock)
    returns = ReturnComparison(matcher, differences)
    for index, step in enumerate(scenario.steps):
        if not step.silent:
            where = f"step {index} {step.op} ({step.key})"
            returns.compare(where, scenario.returns.get(step.key, UNSET), replay.returns.get(step.key))
    states = StateComparison(matcher, differences, scenario.loose_events)
    for name, expected in scenario.snapshots.items():
        states.compare(f"snapshot {name}", as_mapping(expected), replay.snapshots.get(name, {}))
    states.compare("state", scenario.state, replay.state)
    return differences.lines
