"""The guard's own counts, taken of real processes on a server."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest

from benchmarks.guard.counting import PYTHON, inside, outside
from benchmarks.guard.playing import Played, play
from benchmarks.guard.wire import tapped
from benchmarks.process import MeasureError
from benchmarks.server import serving


class Silent:
    """Counts nothing."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def begins(self, _pid: int) -> None:
        self.heard.append("begins")

    def ends(self, _pid: int, played: Played) -> None:
        self.heard.append(f"ends {played.scenario} of {played.units}")


async def test_each_job_of_one_slot_is_settled_and_the_next_taken_in_one_call() -> None:
    counts = {count.measure: count.value for count in await outside(["drain-1"])}

    assert counts["script calls"] == 1
    assert counts["round trips"] == 1
    assert counts["commands"] > 5
    assert counts["bytes sent"] > 40


async def test_a_hundred_callers_share_their_calls() -> None:
    counts = {count.measure: count.value for count in await outside(["add-concurrent"])}

    assert counts["script calls"] <= 0.02
    assert counts["commands"] >= 1


async def test_steps_of_python_are_the_same_whenever_they_are_counted() -> None:
    first, again = await inside("steps", ["add-one"]), await inside("steps", ["add-one"])

    assert {(count.basis, count.measure) for count in first} == {(PYTHON, "bytecodes"), (PYTHON, "calls")}
    for one, other in zip(first, again, strict=True):
        assert one.value == pytest.approx(other.value, rel=0.03)


async def test_who_counts_hears_of_the_beginning_and_the_end() -> None:
    watch = Silent()
    with serving("embedded") as server:
        await play(server.url, "none", ["add-one"], watch)

    assert watch.heard == ["begins", "ends add-one of 100"]


async def test_scenarios_that_break_off_are_told_with_what_was_said(tmp_path: Path) -> None:
    with pytest.raises(MeasureError, match="StoreUnavailable"):
        await play(f"unix://{quote(str(tmp_path / 'none.sock'))}", "none", ["add-one"], Silent())


async def test_a_tap_counts_bytes_both_ways_and_trips_by_their_answers(tmp_path: Path) -> None:
    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        while asked := await reader.readexactly(4):
            writer.write(asked * 2)

    server = await asyncio.start_unix_server(answer, str(tmp_path / "server.sock"))
    async with tapped(f"unix://{quote(str(tmp_path / 'server.sock'))}", tmp_path) as (place, traffic):
        reader, writer = await asyncio.open_unix_connection(unquote(urlsplit(place).path))
        for _ in range(3):
            # Two questions at once are one trip.
            writer.write(b"12345678")
            await reader.readexactly(16)
        writer.close()

    server.close()
    assert traffic.totals() == {"round trips": 3, "bytes sent": 24, "bytes received": 48}
