"""``toril worker`` in one process."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

import toril.sync
from tests.cli.conftest import Serve, Start, ended

pytestmark = pytest.mark.timeout(180)


def test_burst_does_what_there_is_and_leaves(serve: Serve, mail: toril.sync.Queue) -> None:
    jobs = [mail.add("welcome", {"seconds": 0.01}) for _ in range(20)]
    failing = mail.add("bye", {"fail": True}, attempts=3)
    later = mail.add("later", delay=3600)
    service = serve("shop:shop", "--burst", "--verbose", "--concurrency", "5")

    assert service.exit_code() == 0, service.lines
    assert {job.state() for job in jobs} == {"completed"}
    assert (failing.state(), later.state()) == ("failed", "delayed")
    [said] = service.logged("started")
    assert (said["target"], said["queues"]) == ("shop:shop", {"mail": 5, "images": 5})
    assert (said["processes"], said["version"]) == (1, toril.__version__)
    assert {(one["job_name"], one["queue"]) for one in service.logged("completed")} == {("welcome", "mail")}
    assert len(service.logged("completed")) == 20
    assert service.logged("failed")[0]["error"] == "ValueError: no such address"


def test_only_the_queues_that_are_wanted(serve: Serve, mail: toril.sync.Queue) -> None:
    job = mail.add("welcome")
    service = serve("shop:shop", "--burst", "--queues", "im*")

    assert service.exit_code() == 0
    assert service.logged("started")[0]["queues"] == {"images": 1}
    assert service.logged("completed") == []
    assert job.state() == "waiting"


def test_jobs_finish_within_the_grace_or_wait_again(serve: Serve, mail: toril.sync.Queue) -> None:
    short, long = mail.add("short", {"seconds": 0.5}), mail.add("long", {"seconds": 3600})
    service = serve("shop:shop", "--grace", "5s")
    service.eventually(lambda: mail.get_active_count() == 2)
    service.send(signal.SIGTERM)

    assert service.exit_code() == 0, service.lines
    long.refresh()
    assert (short.state(), long.state(), long.attempts_made) == ("completed", "waiting", 0)


def test_unfinished_jobs_fail_if_that_is_wanted_and_a_second_signal_hurries(
    serve: Serve, mail: toril.sync.Queue
) -> None:
    job = mail.add("long", {"seconds": 3600})
    service = serve("shop:shop", "--grace", "1h", "--unfinished", "fail")
    service.eventually(lambda: mail.get_active_count() == 1)
    service.send(signal.SIGINT)
    service.wait_for("stopping")
    service.send(signal.SIGINT)

    assert service.exit_code() == 0, service.lines
    assert job.state() == "failed"


@pytest.mark.parametrize(
    ("work", "tasks", "threads"),
    [("deaf", 1, False), ("in_a_thread", 0, True)],
)
def test_a_handler_that_no_cancellation_ends_does_not_keep_the_process(
    serve: Serve, mail: toril.sync.Queue, tmp_path: Path, work: str, tasks: int, threads: bool
) -> None:
    (tmp_path / "deaf.py").write_text(
        "import asyncio, atexit, pathlib, time\n"
        "from shop import worker as make\n"
        "atexit.register(pathlib.Path('left').touch)\n"
        "async def deaf(job):\n"
        "    while True:\n"
        "        try:\n"
        "            await asyncio.sleep(3600)\n"
        "        except asyncio.CancelledError:\n"
        "            pass\n"
        "async def in_a_thread(job):\n"
        "    await asyncio.to_thread(time.sleep, 3600)\n"
        f"worker = make('mail', {work})\n"
    )
    job = mail.add("deaf")
    service = serve("deaf:worker", "--grace", "0.1s")
    service.eventually(lambda: mail.get_active_count() == 1)
    service.send(signal.SIGTERM)

    assert service.exit_code() == 0, service.lines
    assert job.state() == "waiting"
    [said] = service.logged("leaving though handlers go on that were told to end")
    assert (said["tasks"], said["threads"]) == (tasks, threads)
    # What was registered for the end was called.
    assert (tmp_path / "left").exists()


def test_health_pages(serve: Serve, mail: toril.sync.Queue) -> None:
    service = serve("shop:shop", "--health-port", "0")

    assert service.page("/live") == (200, "live\n")
    assert service.page("/ready") == (200, "ready\n")
    assert service.page("/elsewhere")[0] == 404
    mail.add("welcome").result(timeout=30)
    mail.add("bye", {"fail": True})
    row = 'toril_worker_{}_total{{process="1",worker="0",queues="mail"}} 1'
    service.eventually(lambda: row.format("completed") in service.page("/metrics")[1])
    service.eventually(lambda: row.format("failed") in service.page("/metrics")[1])
    text = service.page("/metrics")[1]
    assert 'toril_worker_slots{process="1",worker="1",queues="images"} 1' in text
    assert "\n# TYPE toril_process_resident_bytes gauge\n" in text


def test_an_address_of_another_machine(serve: Serve) -> None:
    service = serve("shop:shop", "--health-port", "192.0.2.1:9000")

    assert service.exit_code() == 2
    assert service.lines == [
        "toril: health_port='192.0.2.1:9000': can't be listened to (Cannot assign requested address); "
        "name this machine, or give one of its addresses"
    ]


def test_a_port_that_is_in_use(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        service = serve("shop:shop", "--health-port", port)
        kept = serve("shop:shop", "--health-port", port, "--processes", "1")

        for one in (service, kept):
            assert one.exit_code() == 2
            assert "choose a free port" in one.lines[-1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["shop"], 2, "give module:target"),
        (["shopp:shop"], 2, "did you mean 'shop'?"),
        (["shop:shup"], 2, "did you mean 'shop'?"),
        (["shop:LEAK"], 2, "holds no workers"),
        (["shop:Shop"], 2, "is the class Shop; must be a Worker"),
        (["shop:shop", "--queues", "mial"], 2, "did you mean 'mail'?"),
        (["shop:shop", "--url", "redis://127.0.0.1:1"], 3, "127.0.0.1"),
        (["shop:shop", "--url", "redis://127.0.0.1:1", "--processes", "2"], 3, "127.0.0.1"),
        (["shop:nowhere", "--processes", "1"], 2, "there is no 'nowhere' in shop"),
        (["shop:shop", "--queues", ""], 2, "no worker works for such a queue; known are images, mail"),
        (["shop:shop", "--max-memory", "1MB"], 2, "must be more than the process has before its first job"),
        (["shop:shop", "--health-port", "nowhere.invalid:0"], 2, "name this machine"),
    ],
)
def test_what_can_not_start_says_why(serve: Serve, words: list[str], code: int, said: str) -> None:
    service = serve(*words)

    assert service.exit_code() == code, service.lines
    assert any(said in line for line in service.lines), service.lines
    assert not any("Traceback" in line for line in service.lines)


def test_the_traceback_of_a_module_that_raises_is_the_users(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def connect():\n    raise LookupError('no pool')\n\nconnect()\n")
    service = serve("broken:workers")

    assert service.exit_code() == 2
    assert service.lines[0] == "Traceback (most recent call last):"
    assert f'File "{tmp_path / "broken.py"}", line 4, in <module>' in service.lines[1]
    assert "LookupError: no pool" in service.lines
    assert not any("importlib" in line or "toril/supervise" in line for line in service.lines)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("Worker('mail', lambda job: 1, isolation='process')", "it is a lambda"),
        ("Worker('mail', work)", "annotate one with a payload's type"),
        ("Worker('mail', work, concurency=3)", "did you mean 'concurrency'?"),
    ],
)
def test_what_a_worker_refuses_is_told_without_the_lines_of_toril(
    serve: Serve, tmp_path: Path, made: str, said: str
) -> None:
    (tmp_path / "wrong.py").write_text(
        f"from toril import Worker\n\ndef work(job, order, pool): ...\n\nworker = {made}\n"
    )
    service = serve("wrong:worker")

    assert service.exit_code() == 2
    assert [line for line in service.lines if line.startswith("  File")] == [
        f'  File "{tmp_path / "wrong.py"}", line 5, in <module>'
    ]
    assert any(line.startswith("toril.errors") and said in line for line in service.lines), service.lines
    assert service.lines[-1] == "toril: wrong:worker raised this; nothing was started"


def test_a_hook_that_raises_is_told_from_where_the_users_code_begins(serve: Serve, tmp_path: Path) -> None:
    source = """
from toril import Worker

def connect(worker):
    raise LookupError("no pool")

async def work(job): ...

worker = Worker("mail", work, on_start=connect)
"""
    (tmp_path / "hooked.py").write_text(source)
    service = serve("hooked:worker")

    assert service.exit_code() == 1
    [failure] = service.logged("a worker failed")
    lines = failure["error"].splitlines()
    assert f'File "{tmp_path / "hooked.py"}", line 5, in connect' in lines[1]
    assert lines[-1] == "LookupError: no pool"


def test_people_are_told_what_was_started(start: Start, serve: Serve, tmp_path: Path, prefix: str) -> None:
    process = start("worker", "shop:shop", "--burst", cwd=tmp_path, env={"PREFIX": prefix})
    _, err = ended(process)

    lines = err.splitlines()
    assert lines[0] == f"toril {toril.__version__}, shop:shop"
    assert lines[1].split()[0] == "server"
    assert [line.split() for line in lines[2:4]] == [
        ["queue", "mail,", "concurrency", "2"],
        ["queue", "images,", "concurrency", "1"],
    ]
