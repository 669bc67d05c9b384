"""Data and users survive what happens to the server and to those who started it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.embedded.neighbour import Neighbour, call, connect, process_id, read, run_python, write
from tests.support.eventually import eventually_sync
from toril.embedded import ensure_server, process, status, stop
from toril.embedded.control import Answer, ping
from toril.errors import EmbeddedServerError

DIE_WHILE_STARTING = """
import os, signal, sys
from toril.embedded import ensure_server, process
process.wait_until_ready = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
ensure_server(sys.argv[1])
"""


def kill_server(home: Path) -> int:
    """Kill the server with -9; gives the id it had."""
    pid = status(str(home)).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually_sync(lambda: not status(str(home)).running)
    return pid


def incremental_file(home: Path) -> Path:
    return next(home.glob("data/appendonlydir/*.incr.aof"))


def test_data_survive_a_restart(home: Path) -> None:
    with ensure_server(str(home)) as server:
        write(server.url, "key", "value")
        before = process_id(server.url)
    assert not status(str(home)).running

    with ensure_server(str(home)) as server:
        assert read(server.url, "key") == "value"
        assert process_id(server.url) != before


def test_the_server_of_a_killed_user_is_used_on(home: Path) -> None:
    with Neighbour(home) as neighbour:
        url = neighbour.line()
        write(url, "key", "value")
        pid = process_id(url)
        neighbour.kill()
    assert status(str(home)).running

    with ensure_server(str(home)) as server:
        assert process_id(server.url) == pid
        assert read(server.url, "key") == "value"
    assert not status(str(home)).running


def test_a_killed_server_is_replaced_with_its_data(home: Path) -> None:
    with Neighbour(home) as neighbour:
        url = neighbour.line()
        write(url, "key", "value")
        killed = kill_server(home)

        with ensure_server(str(home)) as server:
            assert server.url == url
            assert process_id(url) != killed
            assert read(url, "key") == "value"


def test_the_process_that_started_a_killed_server_brings_it_back(home: Path) -> None:
    with ensure_server(str(home)) as server:
        write(server.url, "key", "value")
        kill_server(home)

        with ensure_server(str(home)) as again:
            assert again.url == server.url
            assert read(again.url, "key") == "value"
        assert status(str(home)).running
    assert not status(str(home)).running


def test_all_may_be_killed_at_once(home: Path) -> None:
    with Neighbour(home) as neighbour:
        write(neighbour.line(), "key", "value")
        kill_server(home)
        neighbour.kill()
    assert list(home.rglob("*.sock"))

    with ensure_server(str(home)) as server:
        assert read(server.url, "key") == "value"


def test_a_line_cut_off_by_a_crash_costs_only_that_line(home: Path) -> None:
    with ensure_server(str(home)) as server:
        write(server.url, "key", "value")
    with incremental_file(home).open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$5\r\nother\r\n$100\r\nhal")

    with ensure_server(str(home)) as server:
        assert read(server.url, "key") == "value"
        assert read(server.url, "other") is None


@pytest.mark.parametrize("content", ["", "1", "4194304 1", "not a number"])
def test_notes_of_a_server_that_is_gone_mean_nothing(home: Path, content: str) -> None:
    with ensure_server(str(home)):
        pass
    (home / "run" / "server.lock").write_text(content)
    (home / "run" / "valkey.sock").write_text("no socket")

    assert not status(str(home)).running
    with ensure_server(str(home)) as server:
        assert status(str(home)).pid == process_id(server.url)


def test_a_starter_that_is_killed_half_way_blocks_nobody(home: Path) -> None:
    with Neighbour(home, DIE_WHILE_STARTING) as starter:
        assert starter.process.wait(30) == -signal.SIGKILL

    with ensure_server(str(home)) as server:
        assert read(server.url, "key") is None
    assert not status(str(home)).running
    assert (home / "valkey.log").read_text().count("Ready to accept connections") == 1


def test_a_server_that_lost_its_socket_is_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toril.embedded.lease.LONGEST_ABSENCE", 0.1)
    with ensure_server(str(home)) as server, connect(server.url) as client:
        client.set("key", "value")
        pid = process_id(server.url)
        server.socket_path.unlink()

        with ensure_server(str(home)) as again:
            assert again.url == server.url
            assert process_id(again.url) != pid
            assert read(again.url, "key") == "value"


def test_a_server_without_socket_that_does_not_heed_is_killed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toril.embedded.lease.LONGEST_ABSENCE", 0.1)
    monkeypatch.setattr(process, "SIGNAL_SECONDS", 0.2)
    with ensure_server(str(home)) as server:
        write(server.url, "key", "value")
        pid = process_id(server.url)
        server.socket_path.unlink()
        os.kill(pid, signal.SIGSTOP)

        with ensure_server(str(home)) as again:
            assert process_id(again.url) != pid
            assert read(again.url, "key") == "value"


def test_the_server_of_another_container_is_not_touched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toril.embedded.lease.LONGEST_ABSENCE", 0.1)
    monkeypatch.setattr(process, "SIGNAL_SECONDS", 0.1)
    with ensure_server(str(home)) as server:
        pid = process_id(server.url)
        note = home / "run" / "server.lock"
        noted = note.read_text()
        note.write_text(f"{pid} another-namespace")
        hidden = server.socket_path.rename(home / "run" / "hidden.sock")

        with pytest.raises(EmbeddedServerError, match="another container"):
            ensure_server(str(home))

        assert status(str(home)).pid is None
        note.write_text(noted)
        hidden.rename(server.socket_path)
        assert process_id(server.url) == pid


def test_a_server_ends_with_its_last_user_though_its_home_is_removed(home: Path) -> None:
    server = ensure_server(str(home))
    pid = process_id(server.url)
    shutil.rmtree(home)

    server.release()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not home.exists()


def test_a_home_that_is_removed_and_made_again_gets_a_new_server(home: Path) -> None:
    old = ensure_server(str(home))
    pid = process_id(old.url)
    shutil.rmtree(home)

    with Neighbour(home) as neighbour:
        url = neighbour.line()
        write(url, "key", "new")
        old.release()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert read(url, "key") == "new"


def test_a_process_moves_over_to_the_new_server_of_its_home(home: Path) -> None:
    old = ensure_server(str(home))
    pid = process_id(old.url)
    shutil.rmtree(home)

    with ensure_server(str(home)) as new:
        assert process_id(new.url) != pid
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        old.release()
        assert read(new.url, "key") is None
    assert not status(str(home)).running


def test_a_server_that_loads_is_waited_for(home: Path) -> None:
    with ensure_server(str(home)) as server, connect(server.url) as client:
        client.eval("for i = 1, 400000 do redis.call('SET', 'k' .. i, string.rep('x', 50)) end", 0)
    with Neighbour(home, DIE_WHILE_STARTING) as starter:
        assert starter.process.wait(30) == -signal.SIGKILL
    socket_path = status(str(home)).socket_path
    assert socket_path is not None
    assert eventually_sync(lambda: ping(socket_path) is Answer.LOADING)

    with ensure_server(str(home)) as server, connect(server.url) as client:
        assert call(client, "DBSIZE") == 400000


def test_a_long_log_is_put_aside(home: Path) -> None:
    with ensure_server(str(home)) as server:
        log = server.log_path
    log.write_text("x" * 2_000_000)

    with ensure_server(str(home)):
        assert log.stat().st_size < 100_000
        assert log.with_suffix(".log.old").stat().st_size == 2_000_000


def test_stop_ends_it_for_all_and_keeps_the_data(home: Path) -> None:
    with Neighbour(home) as neighbour:
        write(neighbour.line(), "key", "value")

        assert stop(str(home))
        assert not stop(str(home))
        assert not status(str(home)).running
        assert neighbour.leave() == 0

    assert run_python(
        "import sys, redis; from toril.embedded import ensure_server\n"
        "print(redis.Redis.from_url(ensure_server(sys.argv[1]).url).get('key'))",
        home,
    ) == str(b"value")
