"""What uses the server through a link: opened when it is needed, left when it is closed."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from toril.core.connection import Access, StoreLink


class Linked:
    """Uses the server through ``_link``. In ``async with`` it is left at the end, also if entering fails."""

    _link: StoreLink

    async def _open(self) -> Access:
        return self._link.access or await self._link.open()

    async def _enter(self) -> None:
        await self._open()

    async def close(self) -> None:
        """Leave the server. The object can be used again; it then connects anew."""
        await self._link.close()

    async def __aenter__(self) -> Self:
        try:
            await self._enter()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class Connecting(Linked):
    """What can also be connected ahead of its first use."""

    async def ready(self) -> Self:
        """Connect now, instead of at first use.

        Raises:
            StoreUnavailable: The server does not answer.
            StoreMisconfigured: The server can't be used as it is set up.
        """
        await self._open()
        return self

    async def _enter(self) -> None:
        await self.ready()
