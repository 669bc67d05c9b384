"""A clock that stands still until it is told to go on."""

from __future__ import annotations

#: Where every controlled clock begins: 2027-01-15 08:00:00 UTC, in ms since 1970.
START_MS = 1_800_000_000_000


class Clock:
    """Milliseconds since 1970 as a test wants them.

    Attributes:
        ms: The time it shows.
    """

    def __init__(self, ms: int = START_MS) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        """The time, as a store asks for it."""
        return self.ms

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += round(seconds * 1000)
