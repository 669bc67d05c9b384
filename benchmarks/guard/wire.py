"""Counts what goes over the wire, from between a process and the server."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

_CHUNK = 1 << 20


@dataclass(slots=True)
class Traffic:
    """What went over the wire so far.

    Attributes:
        trips: How often something was sent that followed upon an answer.
        sent: Bytes to the server.
        received: Bytes from the server.
    """

    trips: int = 0
    sent: int = 0
    received: int = 0

    def totals(self) -> dict[str, int]:
        """By measure."""
        return {"round trips": self.trips, "bytes sent": self.sent, "bytes received": self.received}


class _Line:
    """One connection, both ways."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._answered = True

    async def requests(self, reader: StreamReader, writer: StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            self._traffic.trips += self._answered
            self._answered = False
            self._traffic.sent += len(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def answers(self, reader: StreamReader, writer: StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            self._answered = True
            self._traffic.received += len(chunk)
            writer.write(chunk)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def tapped(url: str, folder: Path) -> AsyncGenerator[tuple[str, Traffic]]:
    """A second address of a server; what goes through it is counted.

    Args:
        url: Of the server, on a unix socket.
        folder: For the socket.
    """
    place, mine = unquote(urlsplit(url).path), folder / "tapped.sock"
    traffic = Traffic()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        line = _Line(traffic)
        from_server, to_server = await asyncio.open_unix_connection(place)
        try:
            await asyncio.gather(line.requests(reader, to_server), line.answers(from_server, writer))
        except ConnectionError:
            # Either side may break off; the other one sees it.
            to_server.close()
            writer.close()

    server = await asyncio.start_unix_server(serve, str(mine))
    try:
        yield f"unix://{quote(str(mine))}?db=0", traffic
    finally:
        server.close()
