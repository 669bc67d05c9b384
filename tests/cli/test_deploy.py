"""Processes are replaced under load: nothing is lost, nothing is run twice, and there is no pause."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

import toril.sync
from tests.cli.conftest import Serve
from tests.cli.service import Service
from toril.sync import Job

LEDGER = """
import asyncio, os
from toril import Worker

async def work(job):
    await asyncio.sleep(0.02)
    with open("ledger", "a") as ledger:
        ledger.write(f"{job.id} {os.getpid()}\\n")

workers = [Worker("mail", work, prefix=os.environ["PREFIX"], concurrency=4)]
"""

# Seconds between two jobs.
PACE = 0.01
# Seconds in which no job comes to an end.
LONGEST_PAUSE = 1.0


class Load:
    """Adds jobs all the time, in a thread of its own."""

    def __init__(self, queue: toril.sync.Queue) -> None:
        self.jobs: list[Job] = []
        self._queue = queue
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._add, name="load")

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _add(self) -> None:
        while not self._stop.wait(PACE):
            self.jobs.append(self._queue.add("n"))


def replaced_by_hangup(service: Service, serve: Serve) -> None:
    """One supervisor replaces its processes."""
    service.send(signal.SIGHUP)
    service.wait_for("all processes were replaced")


def replaced_by_another(service: Service, serve: Serve) -> None:
    """A new service is started, then the old one stopped, as by an orchestrator."""
    serve("ledger:workers").started()
    service.send(signal.SIGTERM)
    assert service.exit_code() == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("deploy", [replaced_by_hangup, replaced_by_another])
def test_a_deploy_under_load(
    serve: Serve, mail: toril.sync.Queue, tmp_path: Path, deploy: Callable[[Service, Serve], None]
) -> None:
    (tmp_path / "ledger.py").write_text(LEDGER)
    service = serve("ledger:workers", *(["--processes", "2"] if deploy is replaced_by_hangup else []))
    service.started()
    with Load(mail) as load:
        service.eventually(lambda: mail.get_completed_count() > 20)
        deploy(service, serve)
        before = mail.get_completed_count()
        service.eventually(lambda: mail.get_completed_count() > before + 20)
    service.eventually(lambda: mail.get_completed_count() == len(load.jobs))

    done = [line.split() for line in (tmp_path / "ledger").read_text().splitlines()]
    runs = Counter(id for id, _ in done)
    assert runs == dict.fromkeys((job.id for job in load.jobs), 1)
    assert len({pid for _, pid in done}) == (4 if deploy is replaced_by_hangup else 2)
    jobs = mail.get_jobs("completed")
    assert {(job.attempts_started, job.stalled_counter) for job in jobs} == {(1, 0)}
    ends = sorted(job.finished_on_ms or 0 for job in jobs)
    assert max(after - before for before, after in pairwise(ends)) < LONGEST_PAUSE * 1000
