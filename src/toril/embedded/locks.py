"""Advisory file locks (``flock``): the kernel drops them when their process ends, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from toril.embedded.deadline import Deadline

if sys.platform != "win32":
    import fcntl

#: Locks whose descriptor is open in this process.
_opened: set[FileLock] = set()


class FileLock:
    """One open description of a lock file, by itself neither shared nor exclusive.

    Args:
        path: The lock file; created (0600) when missing, and never removed, for a lock on a removed
            file excludes nobody.

    Raises:
        OSError: The file can't be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd: int = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _opened.add(self)

    def try_shared(self) -> bool:
        """Take the lock together with others; False when someone holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_exclusive(self) -> bool:
        """Take the lock alone, giving up a share of our own; False when anyone else holds it."""
        return self._try(fcntl.LOCK_EX)

    def wait_exclusive(self, deadline: Deadline) -> bool:
        """Take the lock alone as soon as it is free; False when the time is over first."""
        while not self.try_exclusive():
            if deadline.passed:
                return False
            deadline.nap()
        return True

    def is_taken(self) -> bool:
        """Whether anyone holds the lock alone; only for a description that holds nothing itself."""
        free = self.try_shared()
        if free:
            fcntl.flock(self.fd, fcntl.LOCK_UN)
        return not free

    def is_at_its_path(self) -> bool:
        """Whether the path still names this very file, and not another one or none."""
        try:
            return os.path.samestat(os.fstat(self.fd), self.path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Drop the lock for every process that shares this description, and close it."""
        if self in _opened:
            fcntl.flock(self.fd, fcntl.LOCK_UN)
            self.close()

    def close(self) -> None:
        """Close the description here; a child that inherited it goes on holding the lock."""
        if self in _opened:
            _opened.discard(self)
            os.close(self.fd)

    def read(self) -> str:
        """What was noted in the file."""
        return os.pread(self.fd, 4096, 0).decode(errors="replace")

    def note(self, text: str) -> None:
        """Replace what is noted in the file; for who holds the lock alone, or lets nobody take it."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, text.encode(), 0)

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self.fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def abandon_locks() -> None:
    """Close every description without unlocking: for a forked child, whose parent still holds them."""
    for lock in list(_opened):
        lock.close()


def holders(path: Path, kind: str) -> tuple[int, ...] | None:
    """Ids of the processes that hold a lock file; None where the platform doesn't tell (all but Linux).

    Args:
        path: The lock file.
        kind: ``READ`` for shares, ``WRITE`` for the one who holds it alone.
    """
    try:
        inode = str(path.stat().st_ino)
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    # A line reads "7: FLOCK ADVISORY READ 1234 08:02:131 0 EOF". The device is left out of the
    # comparison: overlay and btrfs show another one here than stat does.
    rows = [line.split() for line in lines]
    return tuple(
        int(row[4])
        for row in rows
        if row[1] == "FLOCK" and row[3] == kind and row[5].rpartition(":")[2] == inode
    )
