"""Where an embedded server lives: its directory, the files in it, and who may read them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from toril.errors import EmbeddedServerError

#: Directory of the server when neither a location nor ``TORIL_HOME`` is given.
DEFAULT_HOME = ".toril"

WAY_OUT = "set TORIL_HOME to a directory you can write to, or TORIL_URL to a server of your own"


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one embedded server.

    Attributes:
        path: Absolute, symbolic links resolved, so that all who share it name it alike.
    """

    path: Path

    @property
    def data(self) -> Path:
        """Directory of the append-only file."""
        return self.path / "data"

    @property
    def run(self) -> Path:
        """Directory of the locks and of the socket."""
        return self.path / "run"

    @property
    def log_path(self) -> Path:
        """What the server says."""
        return self.path / "valkey.log"

    @property
    def start_lock(self) -> Path:
        """Held alone by the process that starts or stops the server, while it does."""
        return self.run / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by all processes that use the server, for as long as they do."""
        return self.run / "users.lock"

    @property
    def server_lock(self) -> Path:
        """Held alone by the server for its life; notes who that is."""
        return self.run / "server.lock"

    @property
    def keeper_lock(self) -> Path:
        """Held alone by the process that keeps the server running when nobody uses it."""
        return self.run / "keeper.lock"

    def prepare(self) -> None:
        """Create what is missing; what holds data or a socket is for the owner only.

        A home that exists keeps its mode, for it may hold other things.

        Raises:
            OSError: Something can't be created or made private.
        """
        if not self.path.is_dir():
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.path / ".gitignore").write_text("*\n")
        for directory in (self.run, self.data):
            directory.mkdir(mode=0o700, exist_ok=True)
            if directory.stat().st_mode & 0o777 != 0o700:
                directory.chmod(0o700)


def require_platform() -> None:
    """Refuse Windows, which has neither Valkey nor ``flock``.

    Raises:
        EmbeddedServerError: This is Windows.
    """
    if sys.platform == "win32":
        raise EmbeddedServerError(
            "the embedded server needs Linux or macOS (or WSL); set TORIL_URL to a server of your own"
        )


def locate(location: str | None) -> Home:
    """The home that a location names.

    Args:
        location: A directory; None or empty takes ``TORIL_HOME``, or else ``.toril`` of the working
            directory.

    Raises:
        EmbeddedServerError: The location can't be the name of a directory.
    """
    chosen = location or os.environ.get("TORIL_HOME") or DEFAULT_HOME
    try:
        return Home(Path(chosen).expanduser().resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise unusable(chosen, error) from error


def unusable(home: Home | str, error: Exception) -> EmbeddedServerError:
    """What to raise when a home can't be used because of an error of the system."""
    path = home.path if isinstance(home, Home) else home
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    place = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return EmbeddedServerError(f"the embedded server can't use {path}: {reason}{place}; {WAY_OUT}")
