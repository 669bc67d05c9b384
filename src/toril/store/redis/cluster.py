"""A cluster, through the general client: it knows the slots, and follows them when they move."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from redis import exceptions as redis_errors
from redis.asyncio.cluster import ClusterNode, RedisCluster

from toril.errors import StoreUnavailable
from toril.store.redis.address import CONNECT_TIMEOUT, Address
from toril.store.redis.wire import ServerError, Word

# Seconds for closing connections whose servers may not answer.
_CLOSE_TIMEOUT = 2.0
# Commands whose replies the client would turn into something else.
_RESHAPED = ("HGETALL", "INFO", "XREAD", "XREVRANGE", "BZPOPMIN")


class ClusterWire:
    """What ``Wire`` is to one server, for a cluster."""

    def __init__(self, address: Address, name: str, patience: float | None) -> None:
        nodes = [ClusterNode(host, port) for host, port in address.hosts]
        self._client = RedisCluster(
            startup_nodes=nodes,
            client_name=name or None,
            socket_timeout=patience,
            socket_connect_timeout=CONNECT_TIMEOUT,
            protocol=2,
            **address.client_settings(),
        )
        for command in _RESHAPED:
            self._client.set_response_callback(command, cast("Any", _as_it_is))
        self.lost = False

    async def ask(self, words: tuple[Word, ...]) -> Any:
        """Send a command to the node that its key belongs to."""
        where = {"target_nodes": RedisCluster.RANDOM} if words[0] == "INFO" else {}
        try:
            reply: Any = await self._client.execute_command(*words, **where)
        except redis_errors.NoScriptError as error:
            raise ServerError(f"NOSCRIPT {error}") from error
        except (
            redis_errors.ConnectionError,
            redis_errors.TimeoutError,
            redis_errors.ClusterDownError,
        ) as error:
            raise StoreUnavailable(f"the cluster does not answer: {error}") from error
        except (redis_errors.RedisError, redis_errors.RedisClusterException) as error:
            raise ServerError(str(error)) from error
        # The report of a node comes with the node's name.
        return next(iter(cast("dict[str, Any]", reply).values())) if isinstance(reply, dict) else reply

    def drop(self) -> None:
        """Connections are the client's to keep."""

    async def close(self) -> None:
        """Close all connections."""
        self.lost = True
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._client.aclose()
        except (redis_errors.RedisError, OSError, TimeoutError):
            # Connections that can't be closed in order are gone already.
            return


def _as_it_is(reply: Any, **_: Any) -> Any:
    return reply
