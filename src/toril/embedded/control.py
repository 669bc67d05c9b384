"""The few words that are spoken with the server to start and to stop it."""

from __future__ import annotations

import os
import socket
from enum import Enum
from pathlib import Path

# Seconds to wait for one reply: a server that loads a big file answers between two chunks of it.
REPLY_TIMEOUT = 1.0


class Answer(Enum):
    """What came back when a server was asked whether it is there."""

    READY = "is up"
    LOADING = "is still loading its data"
    SILENT = "accepts connections but does not answer"
    ABSENT = "does not listen on its socket"


def ping(path: Path) -> Answer:
    """Ask the server behind a socket whether it is there."""
    try:
        reply = _ask(path, b"PING")
    except (TimeoutError, BlockingIOError):
        return Answer.SILENT
    except OSError:
        return Answer.ABSENT
    if not reply:
        return Answer.ABSENT
    # Any other refusal (MISCONF of a full disk, BUSY, NOAUTH) comes from a server that is up; the
    # store that connects to it says what is wrong.
    return Answer.LOADING if reply.startswith(b"-LOADING") else Answer.READY


def ask_to_shut_down(path: Path) -> None:
    """Ask the server to write out what it has and to end; does not wait until it has."""
    try:
        _ask(path, b"SHUTDOWN")
    except OSError:
        return


def _ask(path: Path, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REPLY_TIMEOUT)
        connection.connect(os.fspath(path))
        connection.sendall(command + b"\r\n")
        return connection.recv(256)
