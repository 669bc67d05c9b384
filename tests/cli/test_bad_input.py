"""What can't be used ends in one line that says why, and an exit code by kind; nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

import toril.sync
from tests.cli.conftest import Run
from tests.support.database import Database

CASES: list[tuple[list[str], int, str]] = [
    (["jobs", "mial"], 4, "there is no queue 'mial'; did you mean 'mail'?"),
    (["jobs", "mail", "--state", "faild"], 2, "did you mean 'failed'?"),
    (["jobs", "mail", "--limit", "0"], 2, "--limit"),
    (["jobs"], 2, "QUEUE"),
    (["jbos", "mail"], 2, "jobs"),
    (["job", "nobody"], 4, "there is no job 'nobody'"),
    (["job", "1", "--queue", "nobody"], 4, "there is no queue 'nobody'"),
    (["job", "7", "--queue", "mail"], 4, "there is no job '7' in queue 'mail'"),
    (["add", "mail", "n", "{broken"], 2, "DATA is no JSON"),
    (["add", "mail", "n", "word"], 2, "a text needs quotes"),
    (["add", "mail", "n", "@/nowhere/at/all"], 2, "No such file"),
    (["add", "mail", "n", "--delay", "soon"], 2, "delay='soon'"),
    (["add", "mail", "n", "--delay", "1", "--at", "2100-01-01"], 2, "at"),
    (["add", "mail", "n", "--at", "tomorrow"], 2, "must be an instant"),
    (["add", "mail", "n", "--priority", "-1000000000"], 2, "priority"),
    (["add", "mail", "n", "--priority", "high"], 2, "priority"),
    (["add", "mail", "n", "--backoff", "exponential:soon"], 2, "backoff='soon'"),
    (["add", "mail", "n", "-o", "kep_logs=3"], 2, "did you mean 'keep_logs'?"),
    (["add", "mail", "n", "-o", "keep_logs"], 2, "must be NAME=JSON"),
    (["add", "mail", "n", "--job-id", "5"], 2, "job_id='5'"),
    (["add", "ma:il", "n"], 2, "must not hold ':'"),
    (["retry", "mail"], 2, "--all"),
    (["retry", "mail", "1", "--all"], 2, "--all"),
    (["retry", "mail", "--all", "--state", "waiting"], 2, "state='waiting'"),
    (["retry", "mail", "7"], 4, "there is no job '7'"),
    (["promote", "mail"], 2, "--all"),
    (["remove", "mail"], 2, "ID"),
    (["cancel", "mail"], 2, "ID"),
    (["cancel", "mail", "7"], 4, "there is no job '7'"),
    (["cancel", "nobody", "7"], 4, "there is no queue 'nobody'"),
    (["clean", "mail", "--state", "done", "--yes"], 2, "state='done'"),
    (["clean", "mail", "--older-than", "-5", "--yes"], 2, "older_than='-5'"),
    (["pause"], 2, "QUEUE"),
    (["schedulers", "mail", "--remove", "x"], 4, "there is no job scheduler 'x'"),
    (["schedulers", "--remove", "x"], 2, "name the queue"),
    (["events", "mail", "--since", "yesterday"], 2, "yesterday"),
    (["top", "nobody", "--once"], 4, "there is no queue 'nobody'"),
    (["top", "--interval", "0"], 2, "--interval"),
    (["doctor", "--queue", "nobody"], 4, "there is no queue 'nobody'"),
    (["queues", "--url", "http://localhost"], 2, "unknown scheme"),
    (["queues", "--url", "unix:///nowhere/at/all"], 3, "no connection to /nowhere/at/all"),
    (["queues", "--url", "redis://127.0.0.1:1"], 3, "no connection to 127.0.0.1:1"),
]


@pytest.mark.parametrize(("words", "code", "said"), CASES, ids=[" ".join(words) for words, _, _ in CASES])
def test_what_is_said(
    run: Run, mail: toril.sync.Queue, database: Database, words: list[str], code: int, said: str
) -> None:
    mail.pause()
    before = database.dump()
    result = run(*words, code=code)

    # Boxes around what typer says break lines and words.
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert database.dump() == before


def test_errors_of_toril_are_one_line(run: Run, empty: None) -> None:
    [line] = run("jobs", "nobody", code=4).stderr.splitlines()

    assert line == "toril: there is no queue 'nobody'; there are no queues yet"


def test_a_job_that_several_queues_have(run: Run, mail: toril.sync.Queue, url: str, prefix: str) -> None:
    mail.add("n")
    with toril.sync.Queue("images", url=url, prefix=prefix) as images:
        images.add("n")

    assert "images, mail; say which" in run("job", "1", code=2).stderr


def test_a_file_that_is_no_text(run: Run, mail: toril.sync.Queue, tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(b"\xff\xfe\x00")

    assert "DATA is no JSON" in run("add", "mail", "n", f"@{path}", code=2).stderr


def test_a_bug_is_not_hidden(run: Run, mail: toril.sync.Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("toril.cli.connection.list_queues", broken)
    with pytest.raises(ZeroDivisionError):
        run("queues")
