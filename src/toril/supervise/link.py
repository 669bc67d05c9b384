"""What a process tells its supervisor: lines of JSON on a socket. Its end means that the other is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Literal

import msgspec

from toril.model.autoscale import Sample
from toril.model.worker_status import WorkerStatus

# Bytes of a line; and of lines nobody has read, above which no more are written.
_MOST = 16 * 1024 * 1024

Kind = Literal["ready", "status", "spent", "drained"]


class Report(msgspec.Struct, frozen=True):
    """One line.

    Attributes:
        kind: ``ready``; ``status`` from time to time; ``spent`` by a process that wants to be replaced, and
            ``drained`` by one that has done all there was: both leave.
        workers: How they are.
        loads: How much each worker had to do of late, as ``load_of`` tells; if the number of processes
            follows from that.
        servers: The servers they are connected to, without passwords.
        reason: Why the process leaves.
    """

    kind: Kind
    workers: list[WorkerStatus]
    servers: list[str] = []
    loads: list[Sample] = []
    reason: str = ""


class Link:
    """One end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def on(cls, end: socket.socket) -> Link:
        """On this end of a pair of sockets."""
        return cls(*await asyncio.open_connection(sock=end, limit=_MOST))

    def tell(self, report: Report) -> None:
        """Send a report; one that can't be delivered is dropped."""
        transport = self._writer.transport
        if not transport.is_closing() and transport.get_write_buffer_size() < _MOST:
            self._writer.write(msgspec.json.encode(report) + b"\n")

    async def reports(self) -> AsyncGenerator[Report]:
        """What the other end tells, until it is gone."""
        while line := await self._line():
            yield msgspec.json.decode(line, type=Report)

    async def _line(self) -> bytes:
        try:
            return await self._reader.readline()
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""

    async def gone(self) -> None:
        """Wait until the other end is gone."""
        while await self._line():
            pass

    async def close(self) -> None:
        """Close this end, when all that was told is on its way."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
