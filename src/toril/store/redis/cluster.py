"""A cluster, through the general client: it knows the slots, and follows them when they move."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, cast

from redis import exceptions as redis_errors
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot

from toril.errors import StoreMisconfigured, StoreUnavailable
from toril.store.redis.address import CONNECT_TIMEOUT, Address
from toril.store.redis.wire import ServerError, Word

# Seconds for closing connections whose servers may not answer.
_CLOSE_TIMEOUT = 2.0
# Calls under way at a time. The client uses a connection for each, and refuses those that would be too many.
_CALLS = 32
# Commands whose replies the client would turn into something else.
_RESHAPED = ("HGETALL", "INFO", "SCAN", "ZSCAN", "XREAD", "XREVRANGE", "BZPOPMIN")
# Answers from which the client takes the server's code, by which we tell them apart.
_CODES: dict[type[Exception], str] = {
    redis_errors.NoScriptError: "NOSCRIPT",
    redis_errors.AuthenticationError: "NOAUTH",
    redis_errors.NoPermissionError: "NOPERM",
    redis_errors.OutOfMemoryError: "OOM",
    redis_errors.ReadOnlyError: "READONLY",
}
# What passes by itself. `ClusterError` is its word for having been sent to and fro too often.
_PASSING = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.ClusterError,
    redis_errors.SlotNotCoveredError,
    OSError,
)
# Seen with Valkey 9.1.2: one command in a script with keys of two slots, and from then on every script of
# that node is refused with these words, whatever it does.
_STRANGE_KEY = "access a non local key"
_AFTERMATH = (
    "; if scripts that keep to one queue are answered so too, the node is stuck after a script of whatever "
    "origin that named keys of two slots (seen with Valkey 9.1): restart the node"
)


class ClusterWire:
    """What ``Wire`` is to one server, for a cluster."""

    def __init__(self, address: Address, name: str, patience: float | None) -> None:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        self._client = RedisCluster(
            startup_nodes=nodes,
            client_name=name or None,
            socket_timeout=patience,
            socket_connect_timeout=CONNECT_TIMEOUT,
            # Some more than there can be calls, for its own questions about slots.
            max_connections=2 * _CALLS,
            protocol=2,
            **address.client_settings(),
        )
        for command in _RESHAPED:
            self._client.set_response_callback(command, cast("Any", _as_it_is))
        # It would make one reply of those of all nodes, and there is only one.
        self._client.result_callbacks.pop("SCAN", None)
        self._turns = asyncio.Semaphore(_CALLS)
        self.lost: bool = False
        self.scripts: set[str] = set()

    async def nodes(self) -> list[ClusterNode]:
        """All nodes that can be written to."""
        try:
            await self._client.initialize()
        except (redis_errors.RedisError, redis_errors.RedisClusterException, OSError) as error:
            raise _as_ours(error) from error
        return self._client.get_primaries()

    async def node_of(self, key: str) -> ClusterNode | None:
        """The node that a key belongs to."""
        await self.nodes()
        return self._client.get_node_from_key(key)

    async def ask(self, words: tuple[Word, ...], node: ClusterNode | None = None) -> Any:
        """Send a command to this node, or to the one that its key belongs to."""
        where: dict[str, Any] = {"target_nodes": node} if node else {}
        if words[0] == "INFO":
            # A replica's report would be that of a server that can't be written to.
            where = {"target_nodes": RedisCluster.DEFAULT_NODE}
        try:
            async with self._turns:
                # Left to its first command, the client would send that to any node.
                await self._client.initialize()
                reply: Any = await self._client.execute_command(*words, **where)
        except (redis_errors.RedisError, redis_errors.RedisClusterException, OSError) as error:
            raise _as_ours(error) from error
        # The report of a node comes with the node's name.
        return next(iter(cast("dict[str, Any]", reply).values())) if isinstance(reply, dict) else reply

    def drop(self) -> None:
        """Connections are the client's to keep."""

    async def close(self) -> None:
        """Close all connections, even if the caller is cancelled meanwhile."""
        self.lost = True
        closing = asyncio.create_task(self._close())
        try:
            await asyncio.wait([closing])
        except asyncio.CancelledError:
            # What is left half closed at the end of the loop would be a leak.
            await asyncio.wait([closing])
            raise

    async def _close(self) -> None:
        # The client's own way does nothing before it has learned of the slots, so its nodes are asked too.
        for close in (self._client.aclose, partial(self._client.nodes_manager.aclose, "startup_nodes")):
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT):
                    await close()
            except (redis_errors.RedisError, OSError, TimeoutError):
                # Connections that can't be closed in order are gone already.
                continue


def slot_of(key: str) -> int:
    """The slot a key belongs to: that of what is in its first braces, or of the whole."""
    return key_slot(key.encode())


def _as_ours(error: Exception) -> Exception:
    """The client's error as ``Wire`` would have it."""
    # When no node can be asked for the slots, what the last one said is the cause.
    told = error.__cause__ if isinstance(error, redis_errors.RedisClusterException) else None
    told = told or error
    for kind, code in _CODES.items():
        if isinstance(told, kind):
            return ServerError(f"{code} {told}")
    if isinstance(told, _PASSING):
        return StoreUnavailable(f"the cluster does not answer: {told}")
    if "Cluster mode is not enabled" in str(told):
        return StoreMisconfigured("the server is not part of a cluster; use redis:// in its URL")
    return ServerError(f"{told}{_AFTERMATH if _STRANGE_KEY in str(told) else ''}")


def _as_it_is(reply: Any, **_: Any) -> Any:
    return reply
