"""What differs from the recording, in lines to read."""

from __future__ import annotations


class Differences:
    """Lines, one for each difference.

    Attributes:
        lines: ``where: expected this, got that``.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, where: str, expected: object, actual: object) -> None:
        """Note a difference."""
        self.lines.append(f"{where}: expected {expected!r}, got {actual!r}")
