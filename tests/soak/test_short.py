"""A soak of some seconds; ``make soak`` goes on for as long as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.campaign import Soak
from tests.soak.plan import Plan
from tests.soak.report import counts, summary
from tests.soak.troubles import deploy, kill_process, reload, replace, restart_server


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_done_twice_by_kills_deploys_and_reloads(tmp_path: Path) -> None:
    plan = Plan("short", long_share=0.2, pauses=(0.2, 0.5))
    verdict = Soak(plan, tmp_path).run([kill_process, deploy, restart_server, reload, kill_process, replace])

    assert verdict.wrong == [], summary(verdict)
    counted = counts(verdict)
    assert counted["effects"] == counted["completed jobs"] > 50
    assert counted["jobs of the scheduler"] > 3
    assert counted["  failed as planned"] > 0
    # Kills and stops have met jobs in the middle.
    assert counted["  died with their process"] > 0
    assert counted["  cut by a stop, and given back"] > 0
    assert sum(verdict.stage.troubles.values()) == 6
