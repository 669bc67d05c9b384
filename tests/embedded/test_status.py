"""What can be asked about a server without using it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.embedded.neighbour import Neighbour, process_id
from toril.embedded import ensure_server, status, stop


def test_nothing_is_made_by_asking(home: Path) -> None:
    found = status(str(home))

    assert not found.running
    assert found.pid is None
    assert found.users == ()
    assert found.home == home
    assert not stop(str(home))
    assert not home.exists()


def test_a_server_that_runs(home: Path) -> None:
    with ensure_server(str(home)) as server:
        found = status(str(home))

        assert found.running
        assert found.pid == process_id(server.url)
        assert found.socket_path == server.socket_path
        assert found.log_path == server.log_path


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")
def test_who_uses_it(home: Path) -> None:
    with Neighbour(home) as neighbour:
        assert neighbour.line()
        assert status(str(home)).users == (neighbour.pid,)
        with ensure_server(str(home)), ensure_server(str(home)):
            assert set(status(str(home)).users or ()) == {neighbour.pid, os.getpid()}
        assert status(str(home)).users == (neighbour.pid,)


def test_a_server_that_ended_in_good_order(home: Path) -> None:
    with ensure_server(str(home)):
        pass
    found = status(str(home))

    assert not found.running
    assert found.pid is None
    assert found.users == ()
    assert found.log_path.read_text().count("bye bye") == 1


def test_how_a_server_shows_itself(home: Path) -> None:
    with ensure_server(str(home)) as server:
        assert repr(server) == f"<EmbeddedServer {server.url}>"
