"""What a job that needs the processor does, the same for every system in Python."""

from __future__ import annotations

# So often that it takes about 20 ms on a machine of today; Node runs more of them in that time.
_TIMES = 300_000


def burn() -> int:
    """Compute for a while, and hold the interpreter meanwhile, as code in pure Python does."""
    total = 0
    for number in range(_TIMES):
        total = (total * 31 + number) % 1_000_003
    return total
