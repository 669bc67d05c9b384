"""What became of a child process that is gone."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

from toril.core.worker.isolation.messages import Failure
from toril.errors import ChildProcessDied
from toril.model.outcome import RemoteTraceback

# What a hundred threads have to say at most is not much more.
_MOST_BYTES = 1_000_000


class Will:
    """A file for what the interpreter of a child writes when it crashes: where it was.

    Attributes:
        file: Its descriptor.
    """

    def __init__(self) -> None:
        self.file: int
        self.file, path = tempfile.mkstemp()
        Path(path).unlink()

    def read(self) -> str:
        """What was written, if anything. The file is gone then."""
        text = os.pread(self.file, _MOST_BYTES, 0)
        os.close(self.file)
        return text.decode("utf-8", "replace")


def stillborn(failure: Failure) -> ChildProcessDied:
    """A child could not load what it needs."""
    # Of errors without a text, and of `SystemExit`, the reason begins with the kind.
    what = failure.text if failure.text.startswith(failure.kind) else f"{failure.kind}: {failure.text}"
    died = ChildProcessDied(f"a child process could not start: {what}")
    died.__cause__ = RemoteTraceback(failure.stack)
    return died


def obituary(pid: int, code: int, will: str, *, started: bool) -> ChildProcessDied:
    """What became of a child that has ended without a word, but for what its interpreter wrote in a crash."""
    when = "" if started else " before it was ready"
    name = _signal_name(-code) if code < 0 else None
    hint = ", perhaps because memory ran out" if name == "SIGKILL" else ""
    deed = f"left with exit code {code}" if name is None else f"was killed by {name}"
    text = f"the child process (pid {pid}) {deed}{when}{hint}"
    died = ChildProcessDied(text, pid=pid, exit_code=code, signal=name)
    if will:
        died.__cause__ = RemoteTraceback(will)
    return died


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
