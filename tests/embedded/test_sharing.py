"""Who shares a server, who starts it, and who stops it."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest

from tests.embedded.neighbour import Neighbour, call, connect, process_id, read, run_python, write
from tests.support.eventually import eventually_sync
from toril.embedded import ensure_server, status

ROUNDS = 15

COME_AND_GO = f"""
import sys
import redis
from toril.embedded import ensure_server
for _ in range({ROUNDS}):
    with ensure_server(sys.argv[1]) as server, redis.Redis.from_url(server.url) as client:
        client.incr("visits")
print("done", flush=True)
"""

TERMINAL = """
import sys
from toril.embedded import ensure_server
with ensure_server(sys.argv[1]) as server:
    try:
        print(server.url, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_two_processes_share_one_server(home: Path) -> None:
    with Neighbour(home) as neighbour, ensure_server(str(home)) as server:
        assert neighbour.line() == server.url
        write(server.url, "said", "by me")
        assert read(server.url, "said") == "by me"
        assert process_id(server.url) == status(str(home)).pid


def test_processes_that_start_at_once_start_one_server(home: Path) -> None:
    with ExitStack() as stack:
        neighbours = [stack.enter_context(Neighbour(home)) for _ in range(6)]
        urls = {neighbour.line() for neighbour in neighbours}

        assert len(urls) == 1
        log = (home / "valkey.log").read_text()
        assert log.count("Ready to accept connections") == 1
        assert [neighbour.leave() for neighbour in neighbours] == [0] * 6
    assert not status(str(home)).running
    assert "bye bye" in (home / "valkey.log").read_text()


def test_threads_that_start_at_once_start_one_server(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        servers = list(pool.map(ensure_server, [str(home)] * 8))

    assert len({process_id(server.url) for server in servers}) == 1
    for server in servers[1:]:
        server.release()
    assert status(str(home)).running
    servers[0].release()
    assert not status(str(home)).running


def test_the_first_to_come_may_be_the_first_to_leave(home: Path) -> None:
    with Neighbour(home) as first:
        url = first.line()
        with ensure_server(str(home)) as server:
            assert first.leave() == 0
            assert first.complaints() == ""
            assert server.url == url
            assert read(url, "anything") is None
            assert status(str(home)).running
    assert not status(str(home)).running


def test_the_last_to_leave_stops_the_server(home: Path) -> None:
    with Neighbour(home) as neighbour:
        pid = process_id(neighbour.line())
        with ensure_server(str(home)):
            pass
        assert status(str(home)).pid == pid
        assert neighbour.leave() == 0
    assert not status(str(home)).running
    assert not list(home.rglob("*.sock"))


def test_coming_and_going_at_once_never_meets_a_dying_server(home: Path) -> None:
    with ExitStack() as stack:
        neighbours = [stack.enter_context(Neighbour(home, COME_AND_GO)) for _ in range(4)]
        assert [neighbour.line() for neighbour in neighbours] == ["done"] * 4
        assert [neighbour.leave() for neighbour in neighbours] == [0] * 4

    assert not status(str(home)).running
    with ensure_server(str(home)) as server:
        assert read(server.url, "visits") == str(4 * ROUNDS)


def test_handles_in_one_process_are_counted(home: Path) -> None:
    first, second = ensure_server(str(home)), ensure_server(str(home))

    first.release()
    first.release()

    assert status(str(home)).running
    second.release()
    assert not status(str(home)).running


def test_one_process_may_use_several_homes(home: Path, tmp_path: Path) -> None:
    with ensure_server(str(home)) as one, ensure_server(str(tmp_path / "other")) as other:
        write(one.url, "key", "one")
        assert read(other.url, "key") is None
        assert process_id(one.url) != process_id(other.url)
    assert not status(str(tmp_path / "other")).running


def test_two_names_of_a_home_are_one_home(home: Path, tmp_path: Path) -> None:
    with ensure_server(str(home)) as server:
        (tmp_path / "alias").symlink_to(home)
        with ensure_server(str(tmp_path / "alias")) as alias:
            assert alias.url == server.url


def test_a_program_that_just_ends_stops_its_server(home: Path) -> None:
    program = "import sys; from toril.embedded import ensure_server; print(ensure_server(sys.argv[1]).url)"

    assert run_python(program, home).startswith("unix://")
    assert not status(str(home)).running


def test_an_interrupt_at_the_terminal_spares_the_server(home: Path) -> None:
    with Neighbour(home, TERMINAL) as starter, ensure_server(str(home)) as server:
        assert starter.line() == server.url
        pid = process_id(server.url)
        os.killpg(starter.pid, signal.SIGINT)

        assert starter.line() == "interrupted"
        assert starter.process.wait(30) == 0
        assert process_id(server.url) == pid


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_process_that_comes_and_goes_leaves_no_zombies(home: Path) -> None:
    pids: list[int] = []
    for _ in range(3):
        with ensure_server(str(home)) as server:
            pids.append(process_id(server.url))

    assert len(set(pids)) == 3
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_clients_stay_connected_when_others_leave(home: Path) -> None:
    with ensure_server(str(home)) as server, connect(server.url) as client:
        client.set("key", "value")
        with Neighbour(home) as neighbour:
            assert neighbour.line() == server.url
            assert neighbour.leave() == 0
        assert client.get("key") == "value"
        assert eventually_sync(lambda: len(cast("list[object]", call(client, "CLIENT LIST"))) == 1)
