"""What a worker has done, counted as it goes on."""

from __future__ import annotations

import time

from toril.core.worker.run import Settling
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
        self.names: dict[bytes, int] = {}
        self.error: str | None = None
        self.error_at = 0.0

    def count(self, settling: Settling) -> None:
        """A job was settled."""
        if settling.error is None:
            self.completed += 1
        elif getattr(settling.settlement, "fields", None):
            self.failed += 1
            self.met(settling.error)
        name = settling.job.fields.get(b"name", b"")
        self.names[name] = self.names.get(name, 0) + 1

    def met(self, error: BaseException) -> None:
        """An error, of a job or beside them."""
        self.error = f"{type(error).__name__}: {reason_of(error)}"
        self.error_at = time.monotonic()

    def take_names(self) -> dict[str, int]:
        """The counts by name; they begin anew."""
        names, self.names = self.names, {}
        return {name.decode("utf-8", "replace"): count for name, count in names.items()}
