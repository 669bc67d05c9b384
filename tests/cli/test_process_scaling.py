"""``toril worker --processes MIN-MAX``: as many processes as the work asks for."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import toril.sync
from tests.cli.conftest import Serve
from tests.cli.test_supervisor import pids, ready, workers_of

pytestmark = pytest.mark.timeout(240)


def test_processes_grow_while_jobs_wait_and_shrink_when_fewer_will_do(
    serve: Serve, mail: toril.sync.Queue
) -> None:
    service = serve("shop:shop", "--processes", "1-3", "--concurrency", "1", "--health-port", "0")
    said = service.started()
    assert (said["processes"], said["most_processes"]) == (1, 3)
    [first] = pids(service)
    jobs = [mail.add("n", {"seconds": 0.5}) for _ in range(40)]

    service.eventually(lambda: len(pids(service)) == 3 and ready(service))
    assert len(workers_of(jobs)) == 3
    assert {one["process"] for one in service.logged("stopping")} == set()
    service.eventually(lambda: len(pids(service)) == 1 and ready(service))
    steps = [(one["before"], one["processes"]) for one in service.logged("scaled")]
    assert steps[0][0] == 1
    assert steps[-1][1] == 1
    assert {job.attempts_made for job in mail.get_jobs("completed")} == {1}
    assert workers_of([mail.add("n")]) == pids(service) == {first}
    service.send(signal.SIGTERM)
    assert service.exit_code() == 0


def test_one_that_is_idle_leaves_and_one_that_works_stays(
    serve: Serve, mail: toril.sync.Queue, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    service = serve("shop:shop", "--processes", "1-2", "--concurrency", "2")
    service.started()
    brief = [mail.add("n", {"seconds": 0.5}) for _ in range(32)]
    service.eventually(lambda: len(pids(service)) == 2)
    workers_of(brief)
    long = mail.add("n", {"until": str(gate)})
    service.eventually(lambda: len(pids(service)) == 1)

    gate.touch()
    assert workers_of([long]) == pids(service)


def test_no_more_than_are_needed(serve: Serve, mail: toril.sync.Queue) -> None:
    """Jobs that come at the pace at which one process does them."""
    service = serve("shop:shop", "--processes", "1-2", "--concurrency", "1")
    service.started()
    before = pids(service)
    for _ in range(12):
        workers_of([mail.add("n", {"seconds": 0.4})])

    assert (service.logged("scaled"), pids(service)) == ([], before)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--processes", "4-2"], "processes='4-2': goes from 4 down to 2; give the lower number first"),
        (["--processes", "1-many"], "two of them such as 1-4, or auto"),
        (["--processes", "1-2", "--reload"], "--reload is for development, with one process"),
    ],
)
def test_numbers_that_make_no_sense_are_told(serve: Serve, words: list[str], said: str) -> None:
    service = serve("shop:shop", *words)

    assert service.exit_code() == 2
    assert said in service.lines[-1]
