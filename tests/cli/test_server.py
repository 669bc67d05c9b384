"""``toril server``: an embedded server that stays when nobody uses it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from tests.cli.conftest import Start, ended
from tests.support.eventually import eventually_sync
from toril.cli.app import app
from toril.embedded import ensure_server, status, stop
from toril.embedded.keep import keeper_of


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "home"
    yield path
    stop(str(path))
    eventually_sync(lambda: keeper_of(str(path)) is None)


@pytest.fixture
def read(home: Path) -> Any:
    def invoke(*words: str) -> Any:
        done = CliRunner().invoke(app, ["server", *words, "--json"], env={"TORIL_URL": f"embedded:{home}"})
        assert done.exit_code == 0, done.output
        return msgspec.json.decode(done.stdout)

    return invoke


@pytest.mark.timeout(180)
def test_a_server_stays_until_it_is_stopped(read: Any, start: Start, home: Path) -> None:
    assert read("status")["running"] is False
    assert not home.exists()
    started = read("start")

    assert (started["running"], started["kept"], started["home"]) == (True, True, str(home))
    assert started["users"] == []
    env = {"TORIL_URL": f"embedded:{home}"}
    ended(start("add", "mail", "n", "1", env=env))
    # The last user has gone, and the server is there still.
    assert read("status")["pid"] == started["pid"]
    assert ended(start("jobs", "mail", env=env))[0].splitlines()[1].split()[1] == "n"
    assert read("start")["pid"] == started["pid"]
    keeper = keeper_of(str(home))
    assert read("stop") == {"home": str(home), "stopped": True}
    eventually_sync(lambda: keeper_of(str(home)) is None)
    assert keeper is not None
    eventually_sync(lambda: not Path(f"/proc/{keeper}").exists() or not _lives(keeper))
    assert read("stop") == {"home": str(home), "stopped": False}


def _lives(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def test_a_server_that_is_used_is_stopped_after_asking(read: Any, start: Start, home: Path) -> None:
    with ensure_server(str(home)):
        env = {"TORIL_URL": f"embedded:{home}"}
        out, err = ended(start("server", "stop", env=env), 1)
        assert (out, "1 process(es) use the server" in err) == ("", True)
        assert status(str(home)).running
        assert read("stop", "--yes")["stopped"] is True
    assert not status(str(home)).running


def test_when_its_keeper_is_told_to_go_an_unused_server_ends(read: Any, home: Path) -> None:
    read("start")
    keeper = keeper_of(str(home))
    assert keeper is not None
    os.kill(keeper, signal.SIGTERM)

    eventually_sync(lambda: not status(str(home)).running)


def test_which_folder_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def path(*words: str, **env: str) -> str:
        given = {"TORIL_URL": "", "REDIS_URL": "", "TORIL_HOME": "", **env}
        return CliRunner().invoke(app, ["server", "path", *words], env=given).stdout.strip()

    assert path() == str(tmp_path / ".toril")
    assert path(TORIL_HOME="elsewhere") == str(tmp_path / "elsewhere")
    assert path("--home", "named", TORIL_HOME="elsewhere") == str(tmp_path / "named")
    assert path("--url", "embedded:by-url") == str(tmp_path / "by-url")
    # Another server is used by default; the embedded one is meant all the same.
    assert path(TORIL_URL="redis://localhost") == str(tmp_path / ".toril")


def test_a_folder_that_can_not_be_used(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    out, err = ended(start("server", "start", "--home", str(tmp_path / "file" / "home")), 3)

    assert out == ""
    assert err.startswith("toril: the embedded server can't use")
