"""A clock that stands still until it is told to go on."""

from __future__ import annotations

from datetime import datetime

from toril.model.duration import datetime_to_ms, ms_to_datetime

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

    def now(self) -> datetime:
        """The time as a datetime."""
        return ms_to_datetime(self.ms)

    def set(self, now: datetime) -> None:
        """Let it be this time."""
        self.ms = datetime_to_ms(now, "now")

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += round(seconds * 1000)
