"""The installed script: what only a process of its own shows."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import toril
import toril.sync
from tests.cli.conftest import PATIENCE, Start, ended


def test_the_server_comes_from_the_environment(
    start: Start, mail: toril.sync.Queue, url: str, prefix: str
) -> None:
    mail.add("n")
    env = {"TORIL_URL": "", "REDIS_URL": url}
    assert "mail" in ended(start("--prefix", prefix, "queues", env=env))[0]


def test_the_embedded_server_is_the_default(start: Start, tmp_path: Path) -> None:
    env = {"TORIL_URL": "", "REDIS_URL": "", "TORIL_HOME": ""}
    assert ended(start("add", "mail", "n", cwd=tmp_path, env=env))[0] == "1\n"
    assert (tmp_path / ".toril" / "data").is_dir()
    assert ended(start("jobs", "mail", cwd=tmp_path, env=env))[0].count("waiting") == 1


def test_an_interrupt(start: Start, mail: toril.sync.Queue, prefix: str) -> None:
    process = start("events", "mail", "--follow", "--since", "0", "--json", "--prefix", prefix)
    job = mail.add("n")
    assert process.stdout is not None
    assert msgspec.json.decode(process.stdout.readline())["job"] == job.id
    process.send_signal(signal.SIGINT)

    assert ended(process, 130)[1] == ""


def test_an_interrupt_ends_a_question(script: Path, mail: toril.sync.Queue, url: str, prefix: str) -> None:
    job = mail.add("n")
    ours, theirs = pty.openpty()
    # What a shell runs in the background ignores interrupts, and so would what is started from there.
    process = subprocess.Popen(
        [
            *("env", "--default-signal=INT"),
            *(str(script), "remove", "mail", job.id, "--url", url, "--prefix", prefix),
        ],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    assert process.stderr is not None
    assert process.stdout is not None
    with process, process.stderr, process.stdout:
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(process.stderr.fileno(), 100)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    os.close(ours)
    assert mail.get_job(job.id) is not None


def test_events_that_come_are_followed(start: Start, mail: toril.sync.Queue, prefix: str) -> None:
    mail.add("before")
    process = start("events", "mail", "-f", "--json", "--name", "waiting", "--prefix", prefix)
    assert process.stdout is not None
    # It begins at some moment: jobs are added until one is told.
    while not _has_line(process):
        mail.add("after")
    event = msgspec.json.decode(process.stdout.readline())

    assert event["event"] == "waiting"
    assert event["job"] != "1"


def _has_line(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.1)[0])


def test_whoever_reads_may_go(start: Start, mail: toril.sync.Queue, prefix: str) -> None:
    mail.add_many([("n", "x" * 100) for _ in range(3000)])
    process = start("events", "mail", "--json", "--prefix", prefix)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("{")
    process.stdout.close()

    assert process.wait(PATIENCE) == 141
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_no_colours_without_a_terminal(start: Start, mail: toril.sync.Queue, prefix: str) -> None:
    mail.pause()
    for words in (("queues",), ("top", "--once", "--interval", "0.1")):
        out, err = ended(start(*words, "--prefix", prefix))
        assert "mail" in out
        assert "\x1b" not in out + err


def test_no_colours_when_they_are_not_wanted(start: Start, mail: toril.sync.Queue, prefix: str) -> None:
    mail.pause()
    top = ("top", "--once", "--interval", "0.1", "--prefix", prefix)
    env = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}

    assert "\x1b[33m" in ended(start(*top, env=env))[0]
    assert "\x1b[33m" not in ended(start(*top, env={**env, "NO_COLOR": "1"}))[0]


def test_a_long_line_is_not_broken_for_programs(start: Start, mail: toril.sync.Queue, prefix: str) -> None:
    mail.add("n", "word " * 30)
    out, _ = ended(start("jobs", "mail", "--prefix", prefix, env={"COLUMNS": "40"}))

    assert len(out.splitlines()) == 2
    assert "word " * 29 in out


def test_the_shell_completes_commands(start: Start) -> None:
    def complete(words: str, number: int) -> list[str]:
        env = {"_TORIL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        return ended(start(env=env))[0].split()

    assert set(complete("toril jo", 1)) == {"job", "jobs"}
    assert "--state" in complete("toril jobs --st", 2)


def test_version_and_help(start: Start) -> None:
    assert ended(start("--version"))[0] == f"toril {toril.__version__}\n"
    shown = ended(start("--help"))[0]
    assert all(word in shown for word in ("queues", "doctor", "server", "--url"))
    assert "QUEUE" in ended(start("jobs", "-h"))[0]


def _python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_the_extra_it_says_how_to_get_it(package: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from toril.cli.main import main; main()"
    done = _python(program)

    assert done.returncode == 3, done.stderr
    assert done.stderr == 'toril: the command line needs an extra: pip install "toril[cli]"\n'


def test_commands_are_listed_before_anything_big_is_imported() -> None:
    big: Any = ["rich.console", "rich.table", "psutil", "watchfiles", "toril.doctor", "toril.cli.connection"]
    done = _python(f"import sys, toril.cli.app; print([name for name in {big} if name in sys.modules])")

    assert done.stdout == "[]\n", done.stderr


def test_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toril.cli", "--version"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
        env={**os.environ},
    )

    assert done.stdout == f"toril {toril.__version__}\n"
