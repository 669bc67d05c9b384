"""Which path the socket has: in the home, or elsewhere when that is too long for a socket's name."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

from toril.embedded.home import WAY_OUT, Home
from toril.errors import EmbeddedServerError

# Bytes of sockaddr_un.sun_path without the closing zero: 108 on Linux, 104 on macOS and the BSDs.
LONGEST_SOCKET = 107 if sys.platform == "linux" else 103

SOCKET_NAME = "valkey.sock"


def find_socket(home: Home) -> Path | None:
    """The path of the socket as far as it is settled; None before the first start of a home too deep."""
    direct = home.run / SOCKET_NAME
    if _fits(direct):
        return direct
    try:
        return _short(home, Path(os.fsdecode(_record(home).read_bytes())))
    except FileNotFoundError:
        return None


def settle_socket(home: Home) -> Path:
    """Settle the path of the socket, with a private directory around it; start.lock must be held.

    The first choice is the home itself. Where that is too deep, a directory named after the home is
    made below one that is short, and that one is recorded, since not all processes of a user have the
    same ``XDG_RUNTIME_DIR`` and ``TMPDIR``.

    Raises:
        EmbeddedServerError: No place is short enough and private.
        OSError: The choice can't be recorded.
    """
    settled = find_socket(home)
    if settled is not None and _make_private(settled.parent):
        return settled
    for base in _short_bases():
        path = _short(home, base)
        if _fits(path) and _make_private(path.parent):
            _record(home).write_bytes(os.fsencode(base))
            return path
    raise EmbeddedServerError(
        f"the path of the embedded server's socket is too long: {home.run / SOCKET_NAME} has more than "
        f"{LONGEST_SOCKET} bytes, and none of {', '.join(map(str, _short_bases()))} can hold it; {WAY_OUT}"
    )


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET


def _record(home: Home) -> Path:
    return home.run / "socket-base"


def _short(home: Home, base: Path) -> Path:
    # 16 hex digits of the home's path: a copy of a home, record included, gets a socket of its own.
    digest = sha256(os.fsencode(home.path)).hexdigest()[:16]
    return base / f"toril-{os.geteuid()}-{digest}" / SOCKET_NAME


def _short_bases() -> list[Path]:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return [Path(base) for base in (runtime, tempfile.gettempdir(), "/tmp") if base]


def _make_private(directory: Path) -> bool:
    """Create a directory for us alone; False when that fails or someone else was there first."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError:
        return False
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    return private and found.st_uid == os.geteuid()
