"""What a forked child has of its parent's share: nothing, until it takes one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.embedded.neighbour import Neighbour, process_id, read, run_python
from toril.embedded import ensure_server, status

CHILD_LEAVES = """
import os, sys
from toril.embedded import ensure_server, status
server = ensure_server(sys.argv[1])
child = os.fork()
if child == 0:
    server.release()
    os._exit(0 if status(sys.argv[1]).running else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(code, status(sys.argv[1]).running)
"""

CHILD_STAYS = """
import os, sys
from toril.embedded import ensure_server
server = ensure_server(sys.argv[1])
if os.fork() == 0:
    with ensure_server(sys.argv[1]) as own:
        print(own.url, flush=True)
        sys.stdin.read()
    os._exit(0)
"""

CHILD_WITHOUT_A_SHARE = """
import os, sys
from toril.embedded import ensure_server
server = ensure_server(sys.argv[1])
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print(server.url, flush=True)
"""

FORK_WHILE_ANOTHER_THREAD_STARTS = """
import os, sys, threading
from toril.embedded import ensure_server, status, lease
begun, go_on = threading.Event(), threading.Event()
serve = lease._serve
def slowly(*arguments):
    begun.set()
    assert go_on.wait(10)
    return serve(*arguments)
lease._serve = slowly
thread = threading.Thread(target=ensure_server, args=(sys.argv[1],))
thread.start()
assert begun.wait(10)
child = os.fork()
if child == 0:
    lease._serve = serve
    sys.stdin.read()
    with ensure_server(sys.argv[1]):
        os._exit(0 if status(sys.argv[1]).running else 1)
go_on.set()
thread.join()
print("started", flush=True)
sys.stdin.read()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

MULTIPROCESSING = """
import multiprocessing, sys
from toril.embedded import ensure_server
def child(home):
    print(ensure_server(home).url, flush=True)
if __name__ == "__main__":
    process = multiprocessing.get_context(sys.argv[2]).Process(target=child, args=(sys.argv[1],))
    process.start()
    process.join()
    assert process.exitcode == 0
"""


def test_a_forked_child_can_not_give_back_its_parents_share(home: Path) -> None:
    assert run_python(CHILD_LEAVES, home) == "0 True"
    assert not status(str(home)).running


def test_a_forked_child_has_a_share_of_its_own(home: Path) -> None:
    with Neighbour(home, CHILD_STAYS) as parent:
        url = parent.line()
        assert parent.process.wait(30) == 0
        pid = process_id(url)

        with ensure_server(str(home)) as server:
            assert process_id(server.url) == pid
        assert read(url, "key") is None


def test_a_forked_child_without_a_share_keeps_nothing_alive(home: Path) -> None:
    with Neighbour(home, CHILD_WITHOUT_A_SHARE) as parent:
        assert parent.line().startswith("unix://")
        assert parent.process.wait(30) == 0

        assert not status(str(home)).running


def test_a_fork_while_another_thread_starts_the_server(home: Path) -> None:
    with Neighbour(home, FORK_WHILE_ANOTHER_THREAD_STARTS) as parent:
        assert parent.line() == "started"
        with ensure_server(str(home)) as server:
            assert read(server.url, "key") is None
        assert parent.process.stdin
        parent.process.stdin.close()
        assert parent.line() == "0"
        assert parent.process.wait(30) == 0
    assert not status(str(home)).running


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_child_of_multiprocessing_stops_the_server_when_it_is_the_last(home: Path, method: str) -> None:
    program = home.parent / "program.py"
    program.write_text(MULTIPROCESSING)

    url = run_python(
        "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')",
        program,
        home,
        method,
    )

    assert url.startswith("unix://")
    assert not status(str(home)).running
