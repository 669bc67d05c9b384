"""How much memory this process has."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Bytes in memory now; where the system does not tell, the most that it ever was."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        # In bytes on macOS, in KiB elsewhere.
        return most if sys.platform == "darwin" else most * 1024
