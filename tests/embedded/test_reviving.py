"""A server that died is brought back by those who use it; one that was stopped is left alone."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.embedded.neighbour import Neighbour, process_id, read, write
from tests.embedded.test_survival import kill_server
from toril.embedded import ensure_server, lease, status, stop
from toril.embedded.locks import FileLock
from toril.errors import EmbeddedServerError

REVIVE = """
import sys
from toril.embedded import ensure_server
server = ensure_server(sys.argv[1])
print(server.url, flush=True)
sys.stdin.readline()
server.revive()
print("revived", flush=True)
sys.stdin.read()
"""


def starts(home: Path) -> int:
    return (home / "valkey.log").read_text().count("Ready to accept connections")


def test_a_killed_server_comes_back_with_its_data(home: Path) -> None:
    with ensure_server(str(home)) as server:
        write(server.url, "key", "value")
        kill_server(home)
        server.revive()

        assert read(server.url, "key") == "value"
    assert not status(str(home)).running


def test_one_that_runs_is_left_alone(home: Path) -> None:
    with ensure_server(str(home)) as server:
        before = process_id(server.url)
        server.revive()

        assert process_id(server.url) == before


def test_many_who_do_so_at_once_start_one(home: Path) -> None:
    with ExitStack() as stack:
        neighbours = [stack.enter_context(Neighbour(home, REVIVE)) for _ in range(4)]
        (url,) = {neighbour.line() for neighbour in neighbours}
        write(url, "key", "value")
        kill_server(home)
        for neighbour in neighbours:
            assert neighbour.process.stdin
            neighbour.process.stdin.write("now\n")
            neighbour.process.stdin.flush()

        assert [neighbour.line() for neighbour in neighbours] == ["revived"] * 4
        assert (read(url, "key"), starts(home)) == ("value", 2)


def test_one_that_was_stopped_stays_so_until_somebody_starts_it(home: Path) -> None:
    with ensure_server(str(home)) as server:
        assert stop(str(home))
        with pytest.raises(EmbeddedServerError, match="was stopped"):
            server.revive()
        assert not status(str(home)).running

        with ensure_server(str(home)):
            kill_server(home)
            server.revive()
            assert status(str(home)).running


def test_one_that_was_stopped_when_it_was_dead_stays_so(home: Path) -> None:
    with ensure_server(str(home)) as server:
        kill_server(home)
        assert not stop(str(home))

        with pytest.raises(EmbeddedServerError, match="was stopped"):
            server.revive()


def test_a_folder_that_was_removed_is_not_made_again(home: Path) -> None:
    with ensure_server(str(home)) as server:
        kill_server(home)
        shutil.rmtree(home)

        with pytest.raises(EmbeddedServerError, match="No such file"):
            server.revive()
        assert not home.exists()


def test_who_finds_it_stopped_does_not_take_its_lock(home: Path) -> None:
    """By which it would seem to run, to those who look at that moment."""
    with ensure_server(str(home)) as server:
        stop(str(home))
        watch = FileLock(home / "run" / "server.lock")
        assert watch.try_shared()
        with pytest.raises(EmbeddedServerError, match="was stopped"):
            server.revive()
        watch.release()


def test_it_waits_no_longer_for_other_threads_than_for_the_server(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.embedded.server._REVIVE_SECONDS", 0.05)
    with ensure_server(str(home)) as server:
        with vars(lease)["_process"].mutex, pytest.raises(EmbeddedServerError, match="another thread"):
            server.revive()
        server.revive()


def test_who_has_left_brings_nothing_back(home: Path) -> None:
    with Neighbour(home) as neighbour:
        neighbour.line()
        with ensure_server(str(home)) as server:
            pass
        kill_server(home)
        server.revive()

        assert not status(str(home)).running
