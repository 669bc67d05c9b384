"""Instructions of the processor, counted by valgrind's callgrind: the same however busy the machine is."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.process import MeasureError

_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)
# Seconds for a program under valgrind to heed an order.
_PATIENCE = 30.0


def is_available() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None and shutil.which("callgrind_control") is not None


def command(folder: Path) -> list[str]:
    """What to put before a program's own command; it begins without counting, which is faster.

    Args:
        folder: Where it writes what it counted.
    """
    return [
        "valgrind",
        "--quiet",
        "--tool=callgrind",
        "--instr-atstart=no",
        f"--callgrind-out-file={folder / 'stretch'}",
    ]


def begin(pid: int) -> None:
    """Let a program that runs under it begin to count.

    Raises:
        MeasureError: It does not.
    """
    _steer(pid, "--instr=on")


def end(pid: int) -> None:
    """Let it stop, and write down the stretch it has counted.

    Raises:
        MeasureError: It does not.
    """
    _steer(pid, "--instr=off")
    _steer(pid, "--dump")


def _steer(pid: int, order: str) -> None:
    done = subprocess.run(
        ["callgrind_control", order, str(pid)], capture_output=True, text=True, timeout=_PATIENCE, check=False
    )
    if done.returncode or "OK" not in done.stdout:
        raise MeasureError(f"callgrind does not heed {order}: {done.stdout}{done.stderr}".strip())


def stretches(folder: Path) -> list[int]:
    """Instructions of each stretch so far."""
    paths = sorted(folder.glob("stretch.*"), key=lambda path: int(path.suffix[1:]))
    totals = (_TOTAL.search(path.read_text()) for path in paths)
    return [int(total.group(1)) for total in totals if total is not None]
