"""toril's own adapter, steered by the runner on a server: every measure that needs no other system."""

from __future__ import annotations

import pytest

from benchmarks.figures import Sample
from benchmarks.plan import plan
from benchmarks.rounds import Session
from benchmarks.server import serving
from benchmarks.systems import OURS, systems

VALUES = {
    "drain-10": {"rate", "process_us", "server_us"},
    "result": {"p50_ms", "p95_ms", "p99_ms"},
    "two": {"rate", "process_us", "server_us"},
    "fail": {"rate", "process_us", "server_us"},
    "delayed-spread": {"p50_ms", "p95_ms", "p99_ms"},
    "delayed-once": {"p50_ms", "p95_ms", "p99_ms"},
    "growth-1000": {"rate", "process_us", "server_us"},
    "rss": {"idle_mb", "more_mb"},
    "import": {"import_ms"},
    "idle": {"commands"},
}


@pytest.mark.parametrize("key", VALUES)
async def test_each_kind_of_measure_gives_its_values(key: str) -> None:
    told: list[Sample] = []
    with serving("embedded") as server:
        session = Session(server, [systems()[OURS]], told.append)
        await session.run(plan(0.01, [key], growth=1_500), 1)

    (sample,) = told
    assert (sample.measure, sample.system) == (key, OURS)
    assert sample.values.keys() == VALUES[key]
    assert all(value > 0 for name, value in sample.values.items() if name not in ("more_mb", "commands"))
    assert not session.gaps


async def test_no_round_is_begun_that_would_end_too_late() -> None:
    told: list[Sample] = []
    with serving("embedded") as server:
        session = Session(server, [systems()[OURS]], told.append)
        await session.run(plan(0.001, ["memory"]), 5, seconds=0.001)

    assert session.rounds == len(told) == 1
