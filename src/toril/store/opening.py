"""From a URL to a store: the scheme names the engine, which is imported when it is used."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from toril.store.contract import Store

_REDIS = "toril.store.redis:open_redis"
_EMBEDDED = "toril.embedded:ensure_server"

Revive = Callable[[], None]

_PASSWORD = re.compile(r"(?<=://)([^/?#:@]*):[^/?#]*@")
_PASSWORD_IN_QUERY = re.compile(r"([?&])password=[^&]*&?")


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def default_url() -> str:
    """``TORIL_URL``, else ``REDIS_URL``, else the embedded server."""
    return os.environ.get("TORIL_URL") or os.environ.get("REDIS_URL") or "embedded:"


def find_server(url: str | None) -> tuple[str, Revive | None]:
    """A running server. Starts the embedded one if that is meant, which may take a moment.

    Args:
        url: ``None`` for the default; ``embedded:`` may name a folder (``embedded:/var/lib/shop``).

    Returns:
        Its URL, and what starts it again when it died; ``None`` if that is for others to do.

    Raises:
        EmbeddedServerError: The embedded server could not be started.
    """
    url = url or default_url()
    if not url.startswith("embedded:"):
        return url, None
    server = _load(_EMBEDDED)(url.removeprefix("embedded:") or None)
    return server.url, server.revive


def open_store(
    url: str,
    *,
    now_ms: Callable[[], int] = wall_clock_ms,
    receipts: bool = True,
    revive: Revive | None = None,
) -> Store:
    """A store on a running server; it connects when it is first used.

    Args:
        url: Of a server, not ``embedded:``.
        now_ms: The clock; another one for tests.
        receipts: Keep a receipt of each producer's last add for a minute, so that an add whose answer was
            lost is repeated safely. Without, such an add raises ``StoreUnavailable`` at once, and no key is
            written that BullMQ would not write.
        revive: Called in a thread when nobody listens on the server's unix socket, to start the server again:
            ``EmbeddedServer.revive``.

    Raises:
        OptionError: The URL can't be read.
    """
    return cast("Store", _load(_REDIS)(url, now_ms, receipts, revive))


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return _PASSWORD_IN_QUERY.sub(r"\1", _PASSWORD.sub(r"\1@", url)).rstrip("?&")


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
