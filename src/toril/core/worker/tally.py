"""What a worker has done, counted as it goes on."""

from __future__ import annotations

import time
from collections import defaultdict

from toril.model.job import JobRecord
from toril.model.outcome import reason_of


class Tally:
    """Counts of a worker. Of a job that is completed only its name is counted: that is done very often.

    Attributes:
        names: Jobs that came to an end since this was last taken, by their name.
        failed: Attempts that failed.
        error: What was raised last, as text.
        error_at: Monotonic time at which that was.
    """

    __slots__ = ("_before", "error", "error_at", "failed", "names")

    def __init__(self) -> None:
        self.names: defaultdict[bytes, int] = defaultdict(int)
        self.failed: int = 0
        self.error: str | None = None
        self.error_at: float = 0.0
        self._before = 0

    @property
    def ended(self) -> int:
        """Jobs that were completed, and attempts that failed."""
        return self._before + sum(self.names.values())

    def fail(self, job: JobRecord, error: BaseException) -> None:
        """An attempt has failed."""
        self.failed += 1
        self.names[job.fields.get(b"name", b"")] += 1
        self.met(error)

    def met(self, error: BaseException) -> None:
        """An error, of a job or beside them."""
        self.error = f"{type(error).__name__}: {reason_of(error)}"
        self.error_at = time.monotonic()

    def take_names(self) -> dict[str, int]:
        """The counts by name; they begin anew."""
        self._before = self.ended
        names, self.names = self.names, defaultdict(int)
        return {name.decode("utf-8", "replace"): count for name, count in names.items()}
