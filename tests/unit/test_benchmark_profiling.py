"""How a flame graph and the server's own statistics become tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.process import MeasureError
from benchmarks.profiling.__main__ import choose
from benchmarks.profiling.commands import command_table, event_table
from benchmarks.profiling.flame import hottest, own_samples, table_of


def frame(name: str, samples: int, row: int, first: int) -> str:
    return (
        f"<g><title>{name} ({samples} samples, 9.99%)</title>"
        f'<rect x="0.0%" y="{row}" width="9%" height="15" fill="red" fg:x="{first}" fg:w="{samples}"/></g>'
    )


# `main` calls `a` and `b`; `a` calls `c`, which takes all but 10 of its time.
ROWS = [("all", 100, 0), ("main", 100, 0), ("a &lt;x&gt;", 60, 0), ("b", 30, 60), ("c", 50, 0)]
DEPTHS = (0, 1, 2, 2, 3)


@pytest.mark.parametrize("direction", [16, -16])
def test_own_samples_leave_out_what_is_called(direction: int) -> None:
    rows = zip(ROWS, DEPTHS, strict=True)
    drawing = "".join(
        frame(name, samples, 200 + direction * depth, at) for (name, samples, at), depth in rows
    )

    assert own_samples(drawing) == {"main": 10, "a <x>": 10, "b": 30, "c": 50}


def test_the_hottest_lines_come_first_with_their_share() -> None:
    drawing = frame("all", 4, 20, 0) + frame("cold", 1, 36, 0) + frame("hot", 3, 36, 1)

    assert [line.split() for line in hottest(drawing)[1:]] == [["75.0%", "3", "hot"], ["25.0%", "1", "cold"]]


def test_a_table_stands_beside_the_picture(tmp_path: Path) -> None:
    picture = tmp_path / "process.svg"
    picture.write_text(frame("all", 2, 20, 0) + frame("work", 2, 36, 0))
    table_of(picture)

    assert "work" in (tmp_path / "process.txt").read_text()


def test_a_picture_that_was_not_drawn_is_told(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="drew nothing"):
        table_of(tmp_path / "process.svg")


def test_commands_are_told_a_job_the_costliest_first() -> None:
    stats = {
        "cmdstat_hset": "calls=200,usec=100,usec_per_call=0.50,rejected_calls=0,failed_calls=0",
        "cmdstat_evalsha": "calls=2,usec=900,usec_per_call=450.00,rejected_calls=0,failed_calls=0",
    }
    latencies = {"latency_percentiles_usec_evalsha": "p50=440.319,p99=460.799,p99.9=460.799"}

    assert command_table(stats, latencies, 100)[2:] == [
        "| evalsha | 0.020 | 9.00 | 450.00 | 440 | 461 |",
        "| hset | 2.000 | 1.00 | 0.50 |  |  |",
    ]


def test_what_held_the_server_up_is_told() -> None:
    assert event_table([]) == ["Nothing held the server up for a millisecond or more."]
    assert event_table([[b"command", 1700000000, 3, 9]])[-1] == "| command | 3 | 9 |"


def test_what_can_not_be_looked_at_is_refused() -> None:
    with pytest.raises(ValueError, match="import can't be looked at, only what is about add, drain"):
        choose("import", 1)


def test_there_are_more_flows_in_a_longer_look() -> None:
    (short,), (long,) = choose("flow", 1), choose("flow", 4)

    assert long.order.count == 4 * short.order.count
