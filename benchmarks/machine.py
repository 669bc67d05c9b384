"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


def describe() -> str:
    """Processor, cores, memory and system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = (
        _processor(),
        f"{os.cpu_count()} CPUs",
        f"{memory:.0f} GB",
        f"{platform.system()} {platform.release()}",
    )
    return ", ".join(parts)


def load() -> float:
    """Processes that ran or waited for a CPU in the last minute, on average."""
    return os.getloadavg()[0]


def is_busy(before: float) -> bool:
    """Whether others were at work when the run began, so that it can only indicate."""
    return before > 0.25 * (os.cpu_count() or 1)


def revision(folder: Path) -> str:
    """Which state of the sources it was, if they lie in a repository."""
    words = ("git", "-C", str(folder), "describe", "--always", "--dirty")
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
