"""Everything that was recorded of BullMQ, replayed with toril."""

from __future__ import annotations

import pytest

from tests.golden.deviations import read_deviations, unexpected
from tests.golden.run import replay
from tests.golden.scenario import RECORDED, SUPPORTED_AREAS, Scenario, read_scenarios

SCENARIOS = read_scenarios(RECORDED)
SUPPORTED = [scenario for scenario in SCENARIOS if scenario.area in SUPPORTED_AREAS]
DEVIATIONS = read_deviations()


@pytest.mark.parametrize("scenario", SUPPORTED, ids=lambda scenario: scenario.name)
async def test_toril_does_as_recorded(scenario: Scenario, golden_url: str) -> None:
    differences = await replay(scenario, golden_url)

    assert unexpected(scenario.name, differences, DEVIATIONS) == []


def test_every_supported_area_was_recorded() -> None:
    assert {scenario.area for scenario in SUPPORTED} == set(SUPPORTED_AREAS)


def test_names_are_unique() -> None:
    names = [scenario.name for scenario in SCENARIOS]

    assert len(set(names)) == len(names) > 300


def test_only_recorded_scenarios_are_listed_as_deviations() -> None:
    assert set(DEVIATIONS) <= {scenario.name for scenario in SUPPORTED}
