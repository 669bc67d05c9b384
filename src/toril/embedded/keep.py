"""A process of its own that keeps an embedded server running: ``python -m toril.embedded.keep FOLDER``.

An embedded server ends with its last user. This is a user that stays: until the server is stopped, or until
it is told to go by SIGTERM. There is one for a home; another one leaves at once.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from toril.embedded.home import Home, locate, unusable
from toril.embedded.locks import FileLock, holders
from toril.embedded.server import ensure_server, status
from toril.errors import EmbeddedServerError, TorilError

# Seconds between looks at whether the server lives.
_LOOK_EVERY = 0.2

# What the parent waits for.
_READY = "ready"


def keep_in_background(location: str | None = None) -> None:
    """Start the server of a directory, if need be, and a process that keeps it running after this one.

    Raises:
        MissingExtra: The extra ``embedded`` is not installed.
        EmbeddedServerError: The server could not be started; the message says why.
    """
    home = locate(location)
    # Once in this process, for errors that a child could tell as text only.
    with ensure_server(str(home.path)):
        keeper = subprocess.Popen(
            [sys.executable, "-m", "toril.embedded.keep", str(home.path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        assert keeper.stdout is not None
        with keeper.stdout as said:
            ready = said.readline().strip() == _READY
        if not ready:
            raise EmbeddedServerError(
                f"no process could be started to keep the server in {home.path} running"
            )
        # It lives on; its parent is about to end, and would complain.
        keeper.returncode = 0


def keeper_of(location: str | None = None) -> int | None:
    """Id of the process that keeps the server of a directory running, where the platform tells."""
    return next(iter(holders(locate(location).keeper_lock, "WRITE") or ()), None)


def main() -> None:
    """Keep the server of the directory that is named on the command line."""
    home = locate(sys.argv[1])
    try:
        with ensure_server(str(home.path)):
            lock = FileLock(home.keeper_lock)
            first = lock.try_exclusive()
            sys.stdout.write(f"{_READY}\n")
            sys.stdout.close()
            if first:
                _keep(home)
    except TorilError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(str(unusable(home, error)))


def _keep(home: Home) -> None:
    signal.signal(signal.SIGTERM, _go)
    # It is no part of the terminal's work, even if it was started there.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    kept = status(str(home.path)).pid
    while (found := status(str(home.path))).running and found.pid == kept:
        time.sleep(_LOOK_EVERY)


def _go(*_: object) -> None:
    # As an exception, so that the share is given back.
    sys.exit(0)


if __name__ == "__main__":
    main()
