"""``toril worker --processes``: processes that are kept, replaced, and started anew."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

import toril.sync
from tests.cli.conftest import Serve
from tests.cli.service import SHOP, Service
from toril.sync import Job

pytestmark = pytest.mark.timeout(240)


def pids(service: Service) -> set[int]:
    return {child.pid for child in service.children()}


def ready(service: Service) -> bool:
    return service.page("/ready") == (200, "ready\n")


def workers_of(jobs: Sequence[Job]) -> set[int]:
    """The processes that jobs ran in."""
    return {job.result(timeout=40) for job in jobs}


def test_all_processes_work_and_one_that_is_killed_is_replaced(serve: Serve, mail: toril.sync.Queue) -> None:
    service = serve("shop:shop", "--processes", "2", "--concurrency", "1", "--health-port", "0")
    service.eventually(lambda: ready(service))
    before = pids(service)
    assert workers_of([mail.add("n", {"seconds": 0.2}) for _ in range(8)]) == before
    victim = min(before)
    os.kill(victim, signal.SIGKILL)

    service.eventually(lambda: victim not in pids(service) and len(pids(service)) == 2 and ready(service))
    assert workers_of([mail.add("n", {"seconds": 0.2}) for _ in range(8)]) == pids(service)
    assert service.logged("a process ended")[0]["exit_code"] == -signal.SIGKILL
    assert "toril_process_restarts_total 1" in service.page("/metrics")[1]
    service.send(signal.SIGTERM)
    assert service.exit_code() == 0


def test_a_process_that_can_not_be_started_for_now_is_started_later(
    serve: Serve, mail: toril.sync.Queue
) -> None:
    service = serve("shop:shop", "--processes", "1", "--concurrency", "1", "--health-port", "0")
    service.eventually(lambda: ready(service))
    [victim] = pids(service)
    [supervisor] = {child.ppid() for child in service.children()}
    _, most = resource.prlimit(supervisor, resource.RLIMIT_NOFILE)
    # It has more files open than that already, so that it can't open another one.
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (4, most))
    os.kill(victim, signal.SIGKILL)
    service.wait_for("no process could be started", times=2)
    resource.prlimit(supervisor, resource.RLIMIT_NOFILE, (most, most))

    job = mail.add("n")
    assert workers_of([job]) == pids(service)
    assert "Too many open files" in service.logged("no process could be started")[0]["error"]
    service.send(signal.SIGTERM)
    assert service.exit_code() == 0


def test_burst_of_several_processes(serve: Serve, mail: toril.sync.Queue) -> None:
    jobs = [mail.add("n", {"seconds": 0.02}) for _ in range(50)]
    service = serve("shop:shop", "--processes", "2", "--burst")

    assert service.exit_code() == 0, service.lines
    assert {job.state() for job in jobs} == {"completed"}


def test_a_process_is_replaced_after_so_many_jobs(serve: Serve, mail: toril.sync.Queue) -> None:
    jobs = [mail.add("n", {"seconds": 0.01}) for _ in range(60)]
    service = serve("shop:shop", "--max-jobs", "20", "--concurrency", "1")

    assert len(workers_of(jobs)) > 1
    assert service.logged("leaving")[0]["reason"] == "max-jobs"
    assert {job.attempts_made for job in mail.get_jobs("completed")} == {1}


def test_a_process_is_replaced_above_so_much_memory(serve: Serve, mail: toril.sync.Queue) -> None:
    service = serve("shop:shop", "--max-memory", "400MB", "--health-port", "0")
    service.eventually(lambda: ready(service))
    [first] = pids(service)
    mail.add("n", {"leak": 400})

    service.eventually(lambda: ready(service) and pids(service).isdisjoint({first}))
    assert service.logged("leaving")[0]["reason"] == "max-memory"
    assert workers_of([mail.add("n")]) == pids(service)


def test_processes_leave_when_their_supervisor_is_gone(serve: Serve, mail: toril.sync.Queue) -> None:
    service = serve("shop:shop", "--processes", "2")
    service.eventually(lambda: len(service.children()) == 2)
    service.started()
    children = service.children()
    service.process.kill()

    assert psutil.wait_procs(children, timeout=40)[1] == []


def test_a_start_that_fails_is_tried_again(serve: Serve, mail: toril.sync.Queue, tmp_path: Path) -> None:
    (tmp_path / "shaky.py").write_text(
        "import os, pathlib\n"
        "from shop import shop\n"
        "tries = pathlib.Path('tries')\n"
        "tries.write_text(tries.read_text() + '.' if tries.exists() else '.')\n"
        "if len(tries.read_text()) < 3:\n"
        "    os._exit(9)\n"
    )
    service = serve("shaky:shop", "--processes", "1")

    service.started()
    failed = service.logged("the start of a process failed")
    assert [(one["exit_code"], one["again_in"]) for one in failed] == [(9, 0.5), (9, 1.0)]


def test_one_that_ends_soon_after_its_start_is_started_again_with_growing_pauses(
    serve: Serve, mail: toril.sync.Queue
) -> None:
    service = serve("shop:shop", "--processes", "1")
    service.started()
    job = mail.add("n", {"exit": 9}, attempts=9)
    ended = service.wait_for("a process ended soon after its start", times=2)
    job.cancel()

    assert [(one["exit_code"], one["again_in"]) for one in ended[:2]] == [(9, 0.5), (9, 1.0)]
    assert workers_of([mail.add("n")]) == pids(service)


def test_a_second_signal_stops_all_at_once(serve: Serve, mail: toril.sync.Queue) -> None:
    jobs = [mail.add("long", {"seconds": 3600}) for _ in range(2)]
    service = serve("shop:shop", "--processes", "2", "--grace", "1h", "--concurrency", "1")
    service.eventually(lambda: mail.get_active_count() == 2)
    service.send(signal.SIGINT)
    service.wait_for("stopping")
    service.send(signal.SIGINT)

    assert service.exit_code() == 0
    assert [job.state() for job in jobs] == ["waiting", "waiting"]


def test_one_signal_lets_those_finish_that_are_being_replaced(
    serve: Serve, mail: toril.sync.Queue, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    service = serve("shop:shop", "--processes", "1", "--concurrency", "1")
    service.started()
    job = mail.add("n", {"until": str(gate)})
    service.eventually(lambda: mail.get_active_count() == 1)
    service.send(signal.SIGHUP)
    service.wait_for("stopping")
    service.send(signal.SIGTERM)
    service.wait_for("stopping", times=2)
    gate.touch()

    assert service.exit_code() == 0
    assert job.state() == "completed"


def test_reload_waits_for_the_next_save_when_there_is_a_mistake(
    serve: Serve, mail: toril.sync.Queue, tmp_path: Path
) -> None:
    service = serve("shop:shop", "--reload")
    service.started()
    [first] = workers_of([mail.add("n")])
    module = tmp_path / "shop.py"
    module.write_text(SHOP + "\nthis is no python\n")

    service.wait_for("the start failed; waiting for the next save")
    service.eventually(lambda: any("SyntaxError" in line for line in service.lines))
    assert not any("toril/supervise" in line for line in service.lines)
    module.write_text(SHOP.replace("return os.getpid()", "return -os.getpid()"))
    [second] = workers_of([mail.add("n")])
    assert second < 0 != first + second


def test_a_replacement_that_can_not_start_leaves_the_old_one_at_work(
    serve: Serve, mail: toril.sync.Queue, tmp_path: Path
) -> None:
    service = serve("shop:shop", "--processes", "1")
    service.started()
    before = pids(service)
    (tmp_path / "shop.py").write_text("raise LookupError('no pool')")
    service.send(signal.SIGHUP)

    service.wait_for("the new process could not start; the old one goes on")
    assert workers_of([mail.add("n")]) == before == pids(service)


def test_contradictions_are_told(serve: Serve) -> None:
    service = serve("shop:shop", "--burst", "--reload")

    assert service.exit_code() == 2
    assert "--reload stays; give one of them" in service.lines[-1]
