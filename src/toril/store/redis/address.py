"""Where the server is: a URL, read once, from which connections are made."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec

from toril.errors import EmbeddedServerError, MissingExtra, OptionError, StoreUnavailable
from toril.store.redis.wire import ServerError, Wire, Word

_logger = logging.getLogger(__name__)

#: Seconds until a connection attempt is given up.
CONNECT_TIMEOUT = 3.0
# Seconds until the next sentinel is asked, so that a silent one does not use up the time for connecting.
_SENTINEL_TIMEOUT = 0.7

_PORT, _SENTINEL_PORT = 6379, 26379
_KNOWN = "redis://, rediss://, unix://, redis+sentinel://, redis+cluster://, embedded:"
_TLS_CHECKS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_OPTIONS = ("db", "username", "password", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")


class Address(msgspec.Struct, frozen=True):
    """A server's URL, in parts.

    Attributes:
        kind: ``plain``, ``sentinel`` or ``cluster``.
        hosts: Hosts and ports: of the server, of sentinels, or of cluster nodes.
        path: Path of a unix socket, instead of hosts.
        service: Name of the service that the sentinels watch.
        tls: Whether connections are encrypted.
        options: User, password, database, certificates.
        revive: Starts the server again when nobody listens on its socket; ``None`` if others see to that.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    path: str = ""
    service: str = ""
    tls: bool = False
    options: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    revive: Callable[[], None] | None = None

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read a URL of any scheme that toril knows.

        Raises:
            OptionError: The URL can't be read.
        """
        parts = urlsplit(url)
        scheme, _, kind = parts.scheme.partition("+")
        if kind not in ("", "sentinel", "cluster") or scheme not in ("redis", "rediss", "unix"):
            raise OptionError("url", _hidden(parts), f"unknown scheme; known are {_KNOWN}")
        options = _options(parts)
        if scheme == "unix":
            return cls("plain", path=unquote(parts.path), options=options)
        hosts = _hosts(parts, _SENTINEL_PORT if kind == "sentinel" else _PORT)
        path = [part for part in parts.path.split("/") if part]
        service = ""
        if kind == "sentinel":
            if not path:
                raise OptionError(
                    "url", _hidden(parts), "name the service: redis+sentinel://host:26379/service[/db]"
                )
            service = path.pop(0)
        if path:
            options["db"] = str(_number(parts, path[0]))
        if kind == "cluster" and int(options.get("db", "0")):
            raise OptionError("url", _hidden(parts), "a cluster has database 0 only")
        return cls(kind or "plain", hosts, service=service, tls=scheme == "rediss", options=options)

    async def connect(self, name: str = "", patience: float | None = None) -> Wire:
        """A connection of its own to the server, or to the primary that the sentinels name.

        Args:
            name: What it is called in the server's list of clients.
            patience: See ``Wire``.

        Raises:
            StoreUnavailable: No connection within some seconds.
            ServerError: The server refuses us.
        """
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                wire = await self._open(patience)
                try:
                    for words in self._greeting():
                        await wire.ask(words)
                    if name:
                        await _introduce(wire, name)
                except BaseException:
                    wire.drop()
                    raise
                return wire
        except TimeoutError:
            raise StoreUnavailable(f"no connection to {self} within {CONNECT_TIMEOUT:g} s") from None
        except (OSError, EmbeddedServerError, MissingExtra) as error:
            raise StoreUnavailable(f"no connection to {self}: {error}") from error

    async def _open(self, patience: float | None) -> Wire:
        if self.path:
            try:
                return await _wire_at(self.path, patience)
            except OSError:
                if self.revive is None:
                    raise
            await asyncio.to_thread(self.revive)
            return await _wire_at(self.path, patience)
        host, port = await self._primary() if self.kind == "sentinel" else self.hosts[0]
        return await _wire_to(host, port, self._tls_context() if self.tls else None, patience)

    async def _primary(self) -> tuple[str, int]:
        """Who the first sentinel that answers says is the primary."""
        for host, port in self.hosts:
            try:
                async with asyncio.timeout(_SENTINEL_TIMEOUT):
                    sentinel = await _wire_to(host, port)
                    try:
                        found = await sentinel.ask(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service))
                    finally:
                        await sentinel.close()
            except (OSError, ServerError, StoreUnavailable):
                continue
            if found:
                return found[0].decode(), int(found[1])
        raise StoreUnavailable(f"no sentinel at {self} knows a primary of {self.service!r}")

    def _greeting(self) -> list[tuple[Word, ...]]:
        words: list[tuple[Word, ...]] = []
        if "password" in self.options:
            user = (self.options["username"],) if "username" in self.options else ()
            words.append(("AUTH", *user, self.options["password"]))
        if self.options.get("db", "0") != "0":
            words.append(("SELECT", self.options["db"]))
        return words

    def _tls_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.options.get("ssl_ca_certs"))
        check = self.options.get("ssl_cert_reqs", "required")
        if check != "required":
            context.check_hostname = False
            context.verify_mode = _TLS_CHECKS.get(check, ssl.CERT_NONE)
        if "ssl_certfile" in self.options:
            context.load_cert_chain(self.options["ssl_certfile"], self.options.get("ssl_keyfile"))
        return context

    def client_settings(self) -> dict[str, Any]:
        """User, password and TLS as the cluster's client takes them."""
        settings: dict[str, Any] = {key: value for key, value in self.options.items() if key != "db"}
        return settings | ({"ssl": True} if self.tls else {})

    def __str__(self) -> str:
        """Without the password, for messages."""
        return self.path or ",".join(f"{host}:{port}" for host, port in self.hosts)


async def _introduce(wire: Wire, name: str) -> None:
    try:
        await wire.ask(("CLIENT", "SETNAME", name))
    except ServerError as error:
        # A name is for those who watch; a server that refuses it serves all the same.
        _logger.debug("the server refuses the name of a connection", extra={"error": str(error)})


async def _wire_at(path: str, patience: float | None) -> Wire:
    loop = asyncio.get_running_loop()
    return (await loop.create_unix_connection(lambda: Wire(patience), path))[1]


async def _wire_to(
    host: str, port: int, context: ssl.SSLContext | None = None, patience: float | None = None
) -> Wire:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(lambda: Wire(patience), host, port, ssl=context))[1]


def _hosts(parts: SplitResult, default_port: int) -> tuple[tuple[str, int], ...]:
    hosts: list[tuple[str, int]] = []
    for place in (parts.netloc.rpartition("@")[2] or "localhost").split(","):
        host, _, port = place.rpartition(":") if ":" in place and not place.endswith("]") else (place, "", "")
        if not host:
            raise OptionError("url", _hidden(parts), "a host is missing: scheme://host:port,host:port/...")
        hosts.append((host.strip("[]"), _number(parts, port) if port else default_port))
    return tuple(hosts)


def _options(parts: SplitResult) -> dict[str, str]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    for option, value in options.items():
        if option not in _OPTIONS:
            raise OptionError.unknown(option, value, _OPTIONS)
    if user:
        options["username"] = unquote(user)
    if password:
        options["password"] = unquote(password)
    if "db" in options:
        _number(parts, options["db"])
    if options.get("ssl_cert_reqs", "required") not in _TLS_CHECKS:
        raise OptionError("ssl_cert_reqs", options["ssl_cert_reqs"], "must be none, optional or required")
    return options


def _number(parts: SplitResult, text: str) -> int:
    if not text.isdigit():
        raise OptionError("url", _hidden(parts), f"{text!r} is not a number")
    return int(text)


def _hidden(parts: SplitResult) -> str:
    """The URL without its password."""
    user, at, place = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}:***{at}{place}" if at else parts.netloc).geturl()
