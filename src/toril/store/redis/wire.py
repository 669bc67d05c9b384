"""One connection to one server: commands out, replies in, in order, any number under way.

The hot path of a worker and of a producer goes through here; `docs/decisions` says what it saves over a
general client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis

from toril.errors import StoreUnavailable

Word = str | bytes | int | float


# The package's own annotation takes a single word only.
_pack = cast("Callable[[Sequence[Word]], bytes]", vars(hiredis)["pack_command"])


class ServerError(Exception):
    """The server answered a command with an error."""


class Wire(asyncio.Protocol):
    """A connection that is open until it is lost, and then stays lost.

    Args:
        patience: Seconds without the reply that is due until the connection is given up; ``None`` for ever.

    Attributes:
        lost: Whether it can't be used any more.
        scripts: Digests of the scripts that were sent whole.
    """

    def __init__(self, patience: float | None) -> None:
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._transport: asyncio.WriteTransport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.lost: bool = False
        self.scripts: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Replies, or parts of them."""
        reader, asked = self._reader, self._asked
        reader.feed(data)
        while (reply := reader.gets()) is not False:
            future = asked.popleft()
            if future.done():
                continue
            if isinstance(reply, hiredis.ReplyError):
                future.set_exception(ServerError(str(reply)))
            else:
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody who asked will get an answer; what was asked may have been done."""
        self.lost = True
        if self._watch is not None:
            self._watch.cancel()
        error = StoreUnavailable(f"lost the connection to the server: {exc or 'it was closed'}")
        while self._asked:
            future = self._asked.popleft()
            if not future.done():
                future.set_exception(error)

    def ask(self, words: tuple[Word, ...]) -> asyncio.Future[Any]:
        """Send a command; the future gets its reply.

        Raises:
            StoreUnavailable: The connection was lost before.
        """
        if self.lost or self._transport is None:
            raise StoreUnavailable("lost the connection to the server")
        self._transport.write(_pack(words))
        future = self._loop.create_future()
        self._asked.append(future)
        if self._watch is None and self._patience is not None:
            self._watch = self._loop.call_later(self._patience, self._look, future)
        return future

    def _look(self, due: asyncio.Future[Any]) -> None:
        """One timer watches all: the reply that was due when it was set must have come since."""
        self._watch = None
        if not self._asked:
            return
        if self._asked[0] is due and not self.lost:
            self.drop()
        elif self._patience is not None:
            self._watch = self._loop.call_later(self._patience, self._look, self._asked[0])

    def drop(self) -> None:
        """Give the connection up at once."""
        self.lost = True
        if self._transport is not None:
            self._transport.abort()

    async def close(self) -> None:
        """Close the connection; what is under way is not waited for."""
        self.lost = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            # One turn of the loop lets the transport say goodbye.
            await asyncio.sleep(0)
