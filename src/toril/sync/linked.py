"""Connecting and leaving, in blocking code."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from toril.core.linked import Connecting
from toril.core.portal import portal


class Linked:
    """Connects and leaves; in ``with`` it is left at the end, also if entering fails."""

    def __init__(self, linked: Connecting) -> None:
        self._linked = linked

    def ready(self) -> Self:
        """Connect now, instead of at first use."""
        portal.call(self._linked.ready())
        return self

    def close(self) -> None:
        """Leave the server."""
        portal.call(self._linked.close())

    def __enter__(self) -> Self:
        try:
            return self.ready()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
