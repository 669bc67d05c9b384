"""A relay between toril and its server that can be told to cut, freeze, delay, or lose what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import unquote, urlsplit

Matcher = Callable[[bytes], bool]

_CHUNK = 1 << 16


class Proxy:
    """A listening relay.

    Attributes:
        url: Where it listens; to be used in place of the server's.
        lost: How many replies it has lost so far.
        taken: Connections that were made to it so far.
        delay: Seconds that each piece takes in each direction; any number of pieces are on their way at once.
    """

    def __init__(self, server: str, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self.lost = 0
        self.taken = 0
        self.delay = 0.0
        self._server = server
        self._lines: set[_Line] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._losing: list[Matcher] = []

    def lose_reply(self, to: Matcher) -> None:
        """Let the server do what the next such request asks, and cut before its answer gets through."""
        self._losing.append(to)

    def cut(self) -> int:
        """Cut every connection, as a router does that was restarted; answers how many there were."""
        lines = list(self._lines)
        for line in lines:
            line.cut()
        return len(lines)

    def freeze(self) -> None:
        """Let nothing through, in either direction; connections stay open."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Let everything through again."""
        self._flowing.set()

    def refuse(self, *, refusing: bool = True) -> None:
        """Hang up on whoever connects from now on."""
        self._refusing = refusing

    async def flowing(self) -> None:
        """Wait while it is frozen."""
        await self._flowing.wait()

    def loses(self, request: bytes) -> bool:
        """Whether the answer to this request is to be lost; asked once for each request."""
        for matcher in self._losing:
            if matcher(request):
                self._losing.remove(matcher)
                return True
        return False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Relay one connection."""
        self.taken += 1
        if self._refusing:
            writer.transport.abort()
            return
        line = _Line(self, reader, writer)
        self._lines.add(line)
        try:
            await line.relay(self._server)
        finally:
            self._lines.discard(line)


class _Way:
    """One direction: what goes in comes out in order, each piece so much later."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def take_from(self, reader: asyncio.StreamReader) -> None:
        """Take in until the end; the other side learns of that in order, too."""
        loop = asyncio.get_running_loop()
        there_is_more = True
        while there_is_more:
            piece = b""
            with suppress(OSError):
                piece = await reader.read(_CHUNK)
            there_is_more = bool(piece)
            self._pieces.put_nowait((loop.time() + self._proxy.delay, piece))
        await asyncio.Event().wait()

    async def next(self) -> bytes:
        """The next piece when its time has come; nothing at the end."""
        due, piece = await self._pieces.get()
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        await self._proxy.flowing()
        return piece


class _Line:
    """One relayed connection."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._reader = reader
        self._writer = writer
        self._onward: asyncio.StreamWriter | None = None
        self._losing = False

    async def relay(self, server: str) -> None:
        reader, self._onward = await _connect(server)
        there, back = _Way(self._proxy), _Way(self._proxy)
        ways = [
            asyncio.create_task(there.take_from(self._reader)),
            asyncio.create_task(self._forward(there, self._onward)),
            asyncio.create_task(back.take_from(reader)),
            asyncio.create_task(self._backward(back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.cut()
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)

    async def _forward(self, way: _Way, onward: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while request := await way.next():
                self._losing = self._losing or self._proxy.loses(request)
                onward.write(request)
                await onward.drain()

    async def _backward(self, way: _Way) -> None:
        with suppress(OSError):
            while reply := await way.next():
                if self._losing:
                    self._proxy.lost += 1
                    return
                self._writer.write(reply)
                await self._writer.drain()

    def cut(self) -> None:
        for writer in (self._writer, self._onward):
            if writer is not None:
                writer.transport.abort()


async def _connect(server: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(server)
    if parts.scheme == "unix":
        return await asyncio.open_unix_connection(unquote(parts.path))
    return await asyncio.open_connection(parts.hostname, parts.port)


@asynccontextmanager
async def proxy_of(server: str) -> AsyncGenerator[Proxy, None]:
    """A relay to the server at this URL, as long as the block lasts."""
    waiting: list[Proxy] = []
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(waiting[0].serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy = Proxy(server, listener.sockets[0].getsockname()[1])
    waiting.append(proxy)
    try:
        yield proxy
    finally:
        listener.close()
        proxy.thaw()
        proxy.cut()
        while connections:
            await asyncio.wait(tuple(connections))
