"""TLS in front of a server that may have been built without it."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.valkey import HOST

_CHUNK = 65_536


def _make_certificate(home: Path) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    certificate, key = home / "certificate.pem", home / "key.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    words += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", names]
    words += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    words += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    return certificate, key


class TlsFront:
    """Takes TLS connections and passes on what is in them; on a loop in a thread of its own.

    Args:
        port: Of the server behind.

    Attributes:
        port: Where to connect to.
        certificate: The file of its own certificate; no other front may write there, since a client
            that reads the file later would not trust this one any more.
        handshakes: How many connections were encrypted.
    """

    def __init__(self, port: int) -> None:
        self._behind = port
        self._home = tempfile.TemporaryDirectory(prefix="toril-tls-")
        self.certificate, key = _make_certificate(Path(self._home.name))
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(self.certificate, key)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="tls-front", daemon=True)
        self.port = 0
        self.handshakes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10.0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)
        self._home.cleanup()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, HOST, 0, ssl=self._context)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handshakes += 1
        to_read, to_write = await asyncio.open_connection(HOST, self._behind)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(_copy(reader, to_write), _copy(to_read, writer))
        finally:
            # Those who copy may not even have begun when the front goes down.
            for end in (to_write, writer):
                end.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
