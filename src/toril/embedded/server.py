"""What a user of the embedded server holds, and what a command line asks about one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from toril.embedded.deadline import Deadline
from toril.embedded.home import Home, locate, require_platform, unusable
from toril.embedded.lease import enter, leave, revive, starting
from toril.embedded.locks import FileLock, holders
from toril.embedded.process import note_stopped, noted_pid, reap, shut_down
from toril.embedded.socket_path import find_socket
from toril.errors import EmbeddedServerError

# Seconds for a server to answer: one that loads a file of several GB needs most of it.
START_SECONDS = 60.0

# The same when it is brought back: one that takes longer goes on starting, and who waits for it asks again.
_REVIVE_SECONDS = 3.0


class EmbeddedServer:
    """A share in a running server; made by ``ensure_server``, given back by ``release``.

    Attributes:
        socket_path: The unix socket on which it listens, and nowhere else.
        log_path: What it says about itself.
        url: Where to connect to.
    """

    def __init__(self, home: Home, socket_path: Path) -> None:
        self._home = home
        self._owner = os.getpid()
        self._released = False
        self.socket_path = socket_path
        self.log_path: Path = home.log_path
        self.url: str = f"unix://{quote(os.fsencode(socket_path))}?db=0"

    def __repr__(self) -> str:
        return f"<EmbeddedServer {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the share back; the last user of all processes stops the server, and waits until it ended.

        Doing it twice, or in a forked child, does nothing. Shares that are left at the end of the
        process are given back then.
        """
        if not self._released and self._owner == os.getpid():
            self._released = True
            leave(self._home)

    def revive(self) -> None:
        """Start the server again if it died; blocks until it answers, for some seconds at most.

        Any number of its users may do so at once. One that was stopped by ``stop`` is left so. This does
        nothing for a process that has no share any more.

        Raises:
            MissingExtra: The extra ``embedded`` is not installed any more.
            EmbeddedServerError: It was stopped, or did not start; the message says why and what to do.
        """
        try:
            if self._owner == os.getpid():
                revive(self._home, _REVIVE_SECONDS)
        except OSError as error:
            raise unusable(self._home, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """What is known about the embedded server of a home.

    Attributes:
        home: Its directory.
        running: Whether it lives.
        pid: Its process id; None when it does not run, or runs in another container.
        socket_path: Where it listens or will listen; None when that is not settled yet.
        log_path: What it says about itself; may be missing.
        users: Ids of the processes that use it; None where the platform does not tell (all but Linux).
    """

    home: Path
    running: bool
    pid: int | None
    socket_path: Path | None
    log_path: Path
    users: tuple[int, ...] | None


def ensure_server(location: str | None = None, *, timeout: float = START_SECONDS) -> EmbeddedServer:
    """Share the embedded server of a directory, which is started unless it runs already.

    Blocks until the server answers. Any number of processes may do this at once. Called again in the
    same process it gives another handle to the same share, and brings back a server that died.

    Args:
        location: Directory of the server; None takes ``TORIL_HOME``, or else ``.toril`` of the working
            directory. It must be on a local file system.
        timeout: Seconds that the server may take to answer.

    Raises:
        MissingExtra: The extra ``embedded`` is not installed.
        EmbeddedServerError: The platform or the directory is of no use, or the server did not start;
            the message says why and what to do.
    """
    require_platform()
    home = locate(location)
    try:
        return EmbeddedServer(home, enter(home, timeout))
    except OSError as error:
        raise unusable(home, error) from error


def status(location: str | None = None) -> ServerStatus:
    """Whether the server of a directory runs, and who uses it; changes nothing.

    Args:
        location: As for ``ensure_server``.

    Raises:
        EmbeddedServerError: The platform or the directory is of no use.
    """
    require_platform()
    home = locate(location)
    try:
        running, pid = _look(home)
        return ServerStatus(
            home=home.path,
            running=running,
            pid=pid,
            socket_path=find_socket(home),
            log_path=home.log_path,
            users=holders(home.users_lock, "READ") if running else (),
        )
    except OSError as error:
        raise unusable(home, error) from error


def stop(location: str | None = None, *, timeout: float = START_SECONDS) -> bool:
    """Stop the server of a directory, whoever uses it; its data stay.

    Those who use it wait until somebody starts it again: ``toril server start``, or whoever uses it anew.

    Args:
        location: As for ``ensure_server``.
        timeout: Seconds to wait for a process that is just starting or stopping it.

    Returns:
        Whether there was a server to stop.

    Raises:
        EmbeddedServerError: It did not stop, or the platform or the directory is of no use.
    """
    require_platform()
    home = locate(location)
    try:
        if not home.server_lock.exists():
            return False
        with starting(home, Deadline(timeout)):
            return _stop(home)
    except OSError as error:
        raise unusable(home, error) from error


def _look(home: Home) -> tuple[bool, int | None]:
    if not home.server_lock.exists():
        return False, None
    watch = FileLock(home.server_lock)
    try:
        running = watch.is_taken()
        return running, noted_pid(watch) if running else None
    finally:
        watch.close()


def _stop(home: Home) -> bool:
    watch = FileLock(home.server_lock)
    try:
        running = watch.is_taken()
        if running and not shut_down(find_socket(home), watch):
            raise EmbeddedServerError(
                f"the embedded server in {home.path} (process {noted_pid(watch)}) does not stop; "
                f"see {home.log_path}"
            )
        note_stopped(watch)
        return running
    finally:
        watch.close()
        reap()
