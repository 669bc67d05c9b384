"""What a server tells about itself, as far as it matters to queues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toril.core.connection import StoreLink
from toril.store.contract import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """A server; of a cluster, the node that was asked.

    Attributes:
        engine: ``redis`` or ``valkey``.
        version: Its version.
        mode: ``standalone``, ``cluster`` or ``sentinel``.
        uptime: Seconds since it started.
        clients: How many clients are connected.
        used_memory: Bytes that it has taken.
        max_memory: Bytes that it may take; 0 is no limit.
        eviction: Its ``maxmemory-policy``: anything but ``noeviction`` loses jobs.
        appends: Whether each change is appended to a file.
        snapshots: Whether it writes snapshots by itself; ``None`` if it does not tell.
        write_failed: Whether its latest attempt to write its data failed.
    """

    engine: str
    version: str
    mode: str
    uptime: int
    clients: int
    used_memory: int
    max_memory: int
    eviction: str
    appends: bool
    snapshots: bool | None
    write_failed: bool

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> ServerInfo:
        """From the server's own report; what it does not tell is taken to be as it is by default."""
        engine = "valkey" if "valkey_version" in facts else "redis"
        save = facts.get("save")
        writes = (facts.get("rdb_last_bgsave_status", "ok"), facts.get("aof_last_write_status", "ok"))
        return cls(
            engine=engine,
            version=facts.get(f"{engine}_version", ""),
            mode=facts.get("redis_mode", "standalone"),
            uptime=_number(facts, "uptime_in_seconds"),
            clients=_number(facts, "connected_clients"),
            used_memory=_number(facts, "used_memory"),
            max_memory=_number(facts, "maxmemory"),
            eviction=facts.get("maxmemory_policy", "noeviction"),
            appends=facts.get("aof_enabled") == "1",
            snapshots=None if save is None else bool(save),
            write_failed=any(write != "ok" for write in writes),
        )


def _number(facts: Mapping[str, str], name: str) -> int:
    text = facts.get(name, "")
    return int(text) if text.isdigit() else 0


async def get_server_info(url: str | None = None, *, store: Store | None = None) -> ServerInfo:
    """What a server tells about itself.

    Args:
        url: Of the server; ``None`` for ``TORIL_URL``, ``REDIS_URL`` or the embedded server.
        store: A store that is open already, instead of ``url``.

    Raises:
        OptionError: The URL can't be used.
        StoreUnavailable: The server does not answer.
        StoreMisconfigured: It is of no use as it is set up.
    """
    link = StoreLink(None, url, store)
    try:
        return ServerInfo.of(await (await link.open()).store.queues.server())
    finally:
        await link.close()
