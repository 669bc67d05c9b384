"""Which queues there are, and on what server, for blocking code."""

from __future__ import annotations

from toril.core.clients import list_queues as list_queues_async
from toril.core.portal import portal
from toril.core.server import ServerInfo
from toril.core.server import get_server_info as get_server_info_async


def list_queues(url: str | None = None, *, prefix: str = "bull") -> list[str]:
    """Names of all queues on a server, in order; see ``toril.list_queues``."""
    return portal.call(list_queues_async(url, prefix=prefix))


def get_server_info(url: str | None = None) -> ServerInfo:
    """What a server tells about itself; see ``toril.get_server_info``."""
    return portal.call(get_server_info_async(url))
