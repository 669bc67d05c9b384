"""What a worker has done, counted as it goes on."""

from __future__ import annotations

import time
from collections import defaultdict

from toril.model.outcome import reason_of


class Tally:
    """Counts of a worker.

    Attributes:
        completed: Jobs that were completed.
        failed: Attempts that failed.
        names: Jobs that came to an end since this was last taken, by their name.
        error: What was raised last, as text.
        error_at: Monotonic time at which that was.
    """

    __slots__ = ("completed", "error", "error_at", "failed", "names")

    def __init__(self) -> None:
        self.completed = 0
        self.failed = 0
        self.names: defaultdict[bytes, int] = defaultdict(int)
        self.error: str | None = None
        self.error_at = 0.0

    def met(self, error: BaseException) -> None:
        """An error, of a job or beside them."""
        self.error = f"{type(error).__name__}: {reason_of(error)}"
        self.error_at = time.monotonic()

    def take_names(self) -> dict[str, int]:
        """The counts by name; they begin anew."""
        names, self.names = self.names, defaultdict(int)
        return {name.decode("utf-8", "replace"): count for name, count in names.items()}
