"""``toril top``: what it measures, what it shows, and how one leaves it."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

import toril.sync
from tests.cli.conftest import PATIENCE, Read, Run, Start, complete_one, ended, take
from tests.support.eventually import eventually_sync
from tests.support.valkey import Valkey
from toril import Queue
from toril.cli.connection import Connected
from toril.cli.output import console
from toril.cli.top.sample import QueueSample, RunningJob, Sample, percentiles
from toril.cli.top.sampling import Sampler, ran, waited
from toril.cli.top.screen import render
from toril.model.job import JobRecord
from toril.model.names import QueueRef
from toril.store.opening import open_store

WithWorker = Callable[..., Any]


def test_once(run: Run, read: Read, mail: toril.sync.Queue, with_worker: WithWorker) -> None:
    mail.add("done")
    with_worker(complete_one)
    job = mail.add("runs", attempts=2)
    with_worker(take)

    sample = read("top", "--once", "--interval", "0.1")
    [queue] = sample["queues"]
    assert (queue["name"], queue["paused"], queue["partial"]) == ("mail", False, False)
    assert (queue["counts"]["active"], queue["counts"]["completed"]) == (1, 1)
    assert set(queue["wait"]) == set(queue["run"]) == {"50", "95", "99"}
    [running] = sample["running"]
    assert (running["id"], running["name"], running["worker"], running["attempt"]) == (
        job.id,
        "runs",
        "w1",
        1,
    )
    assert 0 <= running["age"] < 60
    shown = run("top", "mail", "--once", "--interval", "0.1").stdout
    assert "1 queues, 0 workers, 1 running" in shown
    assert re.search(rf"mail +{job.id} +runs +w1", shown)


async def test_rates_are_those_of_the_last_seconds(
    url: str, prefix: str, queue: Queue, start_worker: Any
) -> None:
    async def nothing(job: Any) -> None:
        await asyncio.sleep(0)

    store = open_store(url)
    async with Sampler(Connected(store, prefix), ["tasks"]) as sampler:
        worker = await start_worker(nothing)
        for _ in range(50):
            await queue.add("n")
        sample = await sampler.sample()
        while sample.queues[0].counts["completed"] < 50 or sample.queues[0].rates["completed"] == 0:
            sample = await sampler.sample()
        rates = sample.queues[0].rates
        assert rates["added"] > 0
        assert rates["failed"] == 0
        assert len(sample.queues[0].workers) == 1
        await worker.close()
    await store.close()


async def test_queues_that_come_are_seen(url: str, prefix: str, queue: Queue, monkeypatch: Any) -> None:
    monkeypatch.setattr("toril.cli.top.sampling._LOOK_FOR_QUEUES", 0.0)
    store = open_store(url)
    async with Sampler(Connected(store, prefix), []) as sampler:
        assert [one.name for one in (await sampler.sample()).queues] == ["tasks"]
        async with Queue("later", url=url, prefix=prefix) as later:
            await later.add("n")
            assert [one.name for one in (await sampler.sample()).queues] == ["later", "tasks"]
            await later.obliterate()
        assert [one.name for one in (await sampler.sample()).queues] == ["tasks"]
    await store.close()


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles([]) == {}
    assert percentiles([3.0]) == {50: 3.0, 95: 3.0, 99: 3.0}
    assert percentiles([float(n) for n in range(100, 0, -1)]) == {50: 50.0, 95: 95.0, 99: 99.0}


def test_a_screen_shows_what_is_in_a_sample(capsys: pytest.CaptureFixture[str]) -> None:
    queue = QueueSample(
        name="mail",
        paused=True,
        counts={"active": 1, "waiting": 12, "failed": 3},
        rates={"added": 5.0, "completed": 4.25, "failed": 0.0},
        partial=True,
        wait={50: 0.004, 95: 0.02, 99: 1.0},
        run={},
        workers=[{"queue": "mail", "name": "w1", "address": "127.0.0.1:5", "age": 300, "idle": 0}],
    )
    job = RunningJob(queue="mail", id="7", name="[red]x\x1b", age=125, attempt=2, worker=None)
    sample = Sample(at=datetime(2026, 1, 2, tzinfo=UTC), queues=[queue], running=[job])
    console().print(render(200, sample, "no connection; trying again"))
    shown = capsys.readouterr().out

    for part in ("mail (paused)", "12", ">4.2", "4ms 20ms 1.0s", "2m", "[red]x", "w1", "5m", "no connection"):
        assert part in shown
    assert "\x1b" not in shown


def test_a_narrow_terminal_shows_names_and_what_matters_most() -> None:
    counts = {"active": 1, "waiting": 1200, "completed": 5, "failed": 77}
    times = {50: 0.1, 95: 0.95, 99: 3.0}
    queue = QueueSample(
        name="newsletters",
        paused=False,
        counts=counts,
        rates=dict.fromkeys(("added", "completed", "failed"), 99.5),
        partial=False,
        wait=times,
        run=times,
        workers=[],
    )
    screen = Console(width=80, file=io.StringIO(), record=True)
    screen.print(render(80, Sample(at=datetime.now(UTC), queues=[queue], running=[])))
    [row] = [line for line in screen.export_text().splitlines() if "newsletters" in line]

    assert row.split() == ["newsletters", *["0", "1", "1200", "0", "77", "99.5", "950ms", "950ms"]]


def test_a_stream_of_samples_ends_with_an_interrupt(
    start: Start, mail: toril.sync.Queue, prefix: str
) -> None:
    process = start("top", "--json", "--interval", "0.1", "--prefix", prefix)
    assert process.stdout is not None
    for _ in range(2):
        assert msgspec.json.decode(process.stdout.readline())["queues"][0]["name"] == "mail"
    process.send_signal(signal.SIGINT)

    assert ended(process)[1] == ""


def test_a_server_that_is_away_is_waited_for(start: Start) -> None:
    with Valkey("--appendonly", "yes") as server:
        with toril.sync.Queue("mail", url=server.url) as mail:
            mail.add("n")
        process = start("top", "--json", "--interval", "0.1", "--url", server.url)
        assert process.stdout is not None
        assert process.stderr is not None
        assert msgspec.json.decode(process.stdout.readline())["queues"][0]["counts"]["waiting"] == 1
        server.stop()
        said = process.stderr.readline()
        while "trying again" not in said:
            said = process.stderr.readline()
            assert said
        server.start()
        with toril.sync.Queue("mail", url=server.url) as mail:
            mail.add("n")
        sample = msgspec.json.decode(process.stdout.readline())
        while sample["queues"][0]["counts"]["waiting"] < 2:
            sample = msgspec.json.decode(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        ended(process)


def test_q_leaves_and_the_terminal_is_as_before(
    script: Path, mail: toril.sync.Queue, url: str, prefix: str
) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(script), "top", "--interval", "0.1", "--url", url, "--prefix", prefix],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200", "LINES": "40"},
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""

    def has_been_shown() -> bool:
        nonlocal shown
        shown += os.read(ours, 65536)
        return b"mail" in shown and b"q leaves" in shown

    try:
        eventually_sync(has_been_shown, PATIENCE)
        os.write(ours, b"q")
        shown += _rest(ours)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait(PATIENCE)
        os.close(ours)
    # It was on the other screen, which is left again; and the cursor is back.
    assert b"\x1b[?1049h" in shown
    assert shown.rindex(b"\x1b[?1049l") > shown.rindex(b"\x1b[?1049h")
    assert b"\x1b[?25h" in shown


def _rest(terminal: int) -> bytes:
    said = b""
    while True:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            # The other end is closed.
            return said
        if not more:
            return said
        said += more


def test_times_of_a_job() -> None:
    def job(**fields: str) -> JobRecord:
        stored: dict[bytes, Any] = {name.encode(): value.encode() for name, value in fields.items()}
        return JobRecord(QueueRef("bull", "mail"), "1", stored)

    done = job(timestamp="1000", processedOn="6000", finishedOn="6500", opts='{"delay":3000}', ats="1")
    assert (waited(done), ran(done)) == (2.0, 0.5)
    assert waited(job(timestamp="1000", processedOn="6000", ats="2")) is None
    assert waited(job(timestamp="1000")) is None
    assert ran(job(processedOn="6000")) is None
