"""Which queues there are, for blocking code."""

from __future__ import annotations

from toril.core.clients import list_queues as list_queues_async
from toril.core.portal import portal


def list_queues(url: str | None = None, *, prefix: str = "bull") -> list[str]:
    """Names of all queues on a server, in order; see ``toril.list_queues``."""
    return portal.call(list_queues_async(url, prefix=prefix))
