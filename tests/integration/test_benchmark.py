"""toril's own adapter, steered by the runner on a server: every measure that needs no other system."""

from __future__ import annotations

import pytest

from benchmarks.bench import Turn
from benchmarks.figures import Sample
from benchmarks.plan import plan
from benchmarks.process import MeasureError
from benchmarks.rounds import MAKERS, Session
from benchmarks.server import serving
from benchmarks.systems import OURS, systems

RATE = {"rate", "process_us", "server_us"}
TIMES = {"p50_ms", "p95_ms", "p99_ms"}
VALUES = {
    "drain-10": RATE,
    "two-10": RATE,
    "cpu": {*RATE, "efficiency"},
    "served": {"rate", "efficiency"},
    "isolated": {"rate", "cost_ms"},
    "add-bulk": RATE,
    "result": TIMES,
    "load": {*TIMES, "per_second"},
    "fail": RATE,
    "priorities": RATE,
    "delayed-few": TIMES,
    "growth-1500": RATE,
    "queues-10": {*RATE, "most_mb"},
    "payload-add-10000": RATE,
    "payload-drain-10000": RATE,
    "rss-1500": {"idle_mb", "more_mb"},
    "import": {"import_ms"},
    "boot": {"boot_ms"},
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
    assert all(
        value > 0 for name, value in sample.values.items() if name not in ("more_mb", "commands", "cost_ms")
    )
    assert not session.gaps


async def test_no_round_is_begun_that_would_end_too_late() -> None:
    told: list[Sample] = []
    with serving("embedded") as server:
        session = Session(server, [systems()[OURS]], told.append)
        await session.run(plan(0.001, ["memory"]), 5, seconds=0.001)

    assert session.rounds == len(told) == 1


async def test_a_measure_that_goes_wrong_is_dropped_with_all_its_rounds_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = iter([True, False])

    async def doubled(turn: Turn) -> Sample:
        if next(turns):
            return turn.sample({"rate": 1.0})
        raise MeasureError("toril: of 5 jobs: 1 seen more than once (3)")

    monkeypatch.setitem(MAKERS, "add", doubled)
    told: list[Sample] = []
    with serving("embedded") as server:
        session = Session(server, [systems()[OURS]], told.append)
        await session.run(plan(0.001, ["add-bulk", "memory"]), 2)

    assert session.faults == {(OURS, "add-bulk"): "toril: of 5 jobs: 1 seen more than once (3)"}
    assert [sample.measure for sample in session.samples] == ["memory", "memory"]
    assert [sample.measure for sample in told] == ["add-bulk", "memory", "memory"]
