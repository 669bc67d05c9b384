"""The file into which the server writes what it does."""

from __future__ import annotations

from pathlib import Path

# Bytes after which the log is put aside when a server starts; one start writes about 2 kB.
LONGEST_LOG = 1_000_000

# How much of the log an error shows.
TAIL_LINES = 15
TAIL_BYTES = 4096


def begin_log(path: Path) -> int:
    """Make sure that there is a log, for the owner only; one that has grown long is put aside.

    Returns:
        The position in bytes at which the next line will stand.
    """
    path.touch(mode=0o600)
    size = path.stat().st_size
    if size <= LONGEST_LOG:
        return size
    path.replace(path.with_suffix(".log.old"))
    path.touch(mode=0o600)
    return 0


def tail_of_log(path: Path, since: int) -> str:
    """The last lines that were written after a position in bytes."""
    with path.open("rb") as log:
        log.seek(max(since, path.stat().st_size - TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-TAIL_LINES:]) or "(nothing)"
