"""The official Python port of BullMQ as a partner of tests: see port_peer.py for what it understands."""

from __future__ import annotations

import subprocess
import sys

from tests.interop.peer import FOLDER, Peer

ROOT = FOLDER.parent.parent
# It is not among our own packages, since it wants versions of its own of those that we use.
HOME = ROOT / ".cache" / "port"
LOCK = ROOT / "requirements" / "port.lock"
# What the Makefile leaves there, too, when all is installed.
DONE = HOME / ".installed"
# Seconds for pip to install a few packages.
INSTALL_SECONDS = 50


class PortPeer(Peer):
    """A Python process with queues and workers of the port."""

    def __init__(self) -> None:
        super().__init__(str(HOME / "bin" / "python"), str(FOLDER / "port_peer.py"))


def install_port() -> None:
    """Install the port of the pinned version when it is not there, as `make test` does."""
    if DONE.is_file():
        return
    python, quiet = str(HOME / "bin" / "python"), ("-qq", "--disable-pip-version-check")
    HOME.parent.mkdir(exist_ok=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(HOME)],
        [python, "-m", "pip", "install", *quiet, "--require-hashes", "-r", str(LOCK)],
    ):
        subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
    DONE.touch()
