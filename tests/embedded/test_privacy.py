"""Where things lie, who may read them, and how the server is set up."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from tests.embedded.neighbour import Neighbour, call, connect, read, run_python, write
from toril.embedded import ensure_server, status, stop
from toril.embedded.lease import leave_all
from toril.embedded.socket_path import LONGEST_SOCKET

PRINT_URL = "from toril.embedded import ensure_server; print(ensure_server().url)"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def deep(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home too deep for a socket, and a runtime directory that is short."""
    path = home / ("d" * 60) / ("e" * 60)
    with tempfile.TemporaryDirectory(prefix="toril-", dir="/tmp", ignore_cleanup_errors=True) as base:
        monkeypatch.setenv("XDG_RUNTIME_DIR", base)
        yield path
        leave_all(path)
        stop(str(path))


def test_only_the_owner_gets_in(home: Path) -> None:
    with ensure_server(str(home)) as server:
        assert mode(home) == 0o700
        assert mode(home / "data") == 0o700
        assert mode(server.socket_path.parent) == 0o700
        assert mode(server.socket_path) == 0o700
        assert mode(server.log_path) == 0o600
        assert {mode(path) for path in home.glob("run/*.lock")} == {0o600}


def test_an_existing_directory_keeps_its_mode_and_its_files(home: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    (home / "data").mkdir(mode=0o755)
    (home / "mine").write_text("kept")

    with ensure_server(str(home)):
        assert mode(home) == 0o755
        assert mode(home / "data") == 0o700
        assert mode(home / "run") == 0o700
        assert not (home / ".gitignore").exists()
    assert (home / "mine").read_text() == "kept"


def test_a_new_home_stays_out_of_git(home: Path) -> None:
    with ensure_server(str(home)):
        assert (home / ".gitignore").read_text() == "*\n"


def test_the_server_is_set_up_for_a_queue(home: Path) -> None:
    with ensure_server(str(home)) as server, connect(server.url) as client:
        settings = cast("dict[str, str]", call(client, "CONFIG GET", "*"))

        assert settings["port"] == "0"
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "everysec"
        assert settings["aof-load-truncated"] == "yes"
        assert settings["save"] == ""
        assert settings["maxmemory"] == "0"
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["unixsocketperm"] == "700"
        assert settings["daemonize"] == "no"
        assert settings["dir"] == str(home / "data")


def test_it_hears_nothing_but_its_socket(home: Path) -> None:
    with ensure_server(str(home)) as server, connect(server.url) as client:
        facts = cast("dict[str, dict[str, str]]", call(client, "INFO", "everything"))

        listeners = [fact for name, fact in facts.items() if name.startswith("listener")]
        assert listeners == [{"name": "unix", "bind": str(server.socket_path)}]


def test_the_default_is_a_directory_of_the_working_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TORIL_HOME", raising=False)
    home.mkdir()
    monkeypatch.chdir(home)

    with ensure_server() as server:
        assert server.socket_path == home / ".toril" / "run" / "valkey.sock"
        assert server.log_path == home / ".toril" / "valkey.log"
        assert run_python(PRINT_URL) == server.url


def test_an_environment_variable_names_the_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORIL_HOME", str(home))

    with ensure_server() as server:
        assert server.socket_path == home / "run" / "valkey.sock"
        assert status().running
    assert not status(str(home)).running


@pytest.mark.parametrize("name", ["with space", "per%20cent", "que?ry#hash", "straße", 'quo"te\\'])
def test_any_name_of_a_directory_will_do(home: Path, name: str) -> None:
    with ensure_server(str(home / name)) as server:
        assert server.socket_path.parent == home / name / "run"
        write(server.url, "key", name)
    with ensure_server(str(home / name)) as server:
        assert read(server.url, "key") == name


def test_a_path_too_long_for_a_socket_gets_another_place(deep: Path) -> None:
    with ensure_server(str(deep)) as server:
        assert len(os.fsencode(server.socket_path)) <= LONGEST_SOCKET
        assert server.socket_path.is_relative_to(os.environ["XDG_RUNTIME_DIR"])
        assert mode(server.socket_path.parent) == 0o700
        assert status(str(deep)).socket_path == server.socket_path
        write(server.url, "key", "value")
        place = server.socket_path.parent
    assert not status(str(deep)).running
    assert not place.exists()
    assert (deep / "data" / "appendonlydir").is_dir()


def test_processes_with_other_variables_find_the_same_socket(
    deep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ensure_server(str(deep)) as server:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        with Neighbour(deep) as neighbour:
            assert neighbour.line() == server.url


def test_another_place_that_vanished_is_made_again(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ensure_server(str(deep)) as server:
        write(server.url, "key", "value")
        before = server.socket_path
    with ensure_server(str(deep)) as server:
        assert server.socket_path == before
    before.parent.parent.rmdir()
    monkeypatch.delenv("XDG_RUNTIME_DIR")

    with ensure_server(str(deep)) as server:
        assert server.socket_path != before
        assert read(server.url, "key") == "value"


@pytest.mark.parametrize("trap", ["link", "open"])
def test_another_place_that_is_not_private_is_not_used(deep: Path, trap: str) -> None:
    with ensure_server(str(deep)) as server:
        trapped = server.socket_path.parent
    if trap == "link":
        (trapped.parent / "target").mkdir(mode=0o700)
        trapped.symlink_to(trapped.parent / "target")
    else:
        trapped.mkdir()
        trapped.chmod(0o777)

    with ensure_server(str(deep)) as server:
        assert server.socket_path.parent != trapped


def test_a_copy_of_a_home_has_a_server_of_its_own(deep: Path, home: Path) -> None:
    program = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2])"
    with ensure_server(str(deep)) as server:
        write(server.url, "key", "original")
    copy = deep.with_name("f" * 60)
    run_python(program, deep, copy)

    with ensure_server(str(deep)) as server, ensure_server(str(copy)) as other:
        write(other.url, "key", "copy")
        assert server.socket_path != other.socket_path
        assert read(server.url, "key") == "original"
