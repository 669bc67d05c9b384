"""How long a blocking wait may last, and how long to nap between two looks."""

from __future__ import annotations

from time import monotonic, sleep

# Seconds of the first and of the longest nap: a server is up after some 40 ms, one that loads a big
# file after minutes.
FIRST_NAP = 0.001
LONGEST_NAP = 0.01


class Deadline:
    """A moment on the monotonic clock up to which something may be waited for.

    Args:
        seconds: From now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = monotonic() + seconds
        self._nap = FIRST_NAP

    @property
    def left(self) -> float:
        """Seconds that remain; never negative."""
        return max(0.0, self._end - monotonic())

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return self.left == 0.0

    def nap(self) -> None:
        """Block for a moment, each time a little longer, and never past the end."""
        sleep(min(self._nap, self.left))
        self._nap = min(self._nap * 1.5, LONGEST_NAP)
