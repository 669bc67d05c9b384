"""A small HTTP server for probes and for Prometheus: it answers GET, and nothing else."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from toril.errors import OptionError
from toril.supervise.plan import place_of

# Seconds for a client to say what it wants.
_PATIENCE = 5.0
_FREE = "choose a free port, or 0 for any"
_OURS = "name this machine, or give one of its addresses"
_HIGH = "choose a port above 1023"
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    status: int
    text: str


Answer = Callable[[str], Page]


@asynccontextmanager
async def health_server(place: str, answer: Answer) -> AsyncGenerator[str]:
    """Answer at ``port`` or ``host:port`` while this lasts; gives the URL.

    Raises:
        OptionError: It can't be listened to there.
    """
    host, port = place_of(place)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_PATIENCE):
                words = (await reader.readline()).split()
                while (await reader.readline()).strip():
                    pass
                writer.write(_response(words, answer))
                await writer.drain()
        writer.close()

    try:
        server = await asyncio.start_server(respond, host, port)
    except OSError as error:
        raise OptionError("health_port", place, _problem(error)) from None
    async with server:
        address = server.sockets[0].getsockname()
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{shown}:{address[1]}"


def _problem(error: OSError) -> str:
    """Why it can't be listened to, and what helps."""
    if isinstance(error, socket.gaierror):
        return f"can't be listened to ({error.strerror}); {_OURS}"
    # Of itself, since what asyncio raises tells the address once more.
    reason = os.strerror(error.errno) if error.errno else str(error)
    advice = {errno.EADDRNOTAVAIL: _OURS, errno.EACCES: _HIGH}.get(error.errno or 0, _FREE)
    return f"can't be listened to ({reason}); {advice}"


def _response(words: list[bytes], answer: Answer) -> bytes:
    known = len(words) == 3 and words[0] in (b"GET", b"HEAD")
    page = (
        answer(words[1].decode("latin-1").partition("?")[0]) if known else Page(405, "only GET is answered\n")
    )
    body = page.text.encode()
    head = (
        f"HTTP/1.1 {page.status} {_REASONS[page.status]}\r\n"
        "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode()
    return head if words[:1] == [b"HEAD"] else head + body
