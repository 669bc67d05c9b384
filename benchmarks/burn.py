"""What a job that needs the processor does, the same for every system in Python.

As a program it does that as often as each line of its input says, and answers each with a line.
"""

from __future__ import annotations

import sys

# So often that it takes about 20 ms on a machine of today; Node runs more of them in that time.
_TIMES = 300_000


def burn() -> int:
    """Compute for a while, and hold the interpreter meanwhile, as code in pure Python does."""
    total = 0
    for number in range(_TIMES):
        total = (total * 31 + number) % 1_000_003
    return total


if __name__ == "__main__":
    for line in sys.stdin:
        for _ in range(int(line)):
            burn()
        print("done", flush=True)
