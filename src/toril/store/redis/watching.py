"""Who uses a queue, and which queues there are."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping

from toril.errors import ScriptError, StoreMisconfigured
from toril.model.names import QueueRef
from toril.store.redis.codec import text
from toril.store.redis.connection import Connection, literally
from toril.store.redis.waiting import client_name

_logger = logging.getLogger(__name__)

# Keys that a step of a search looks at.
_STEP = 1_000


class Watching:
    """Connections to the server, and names of queues."""

    _connection: Connection

    async def workers(self, queue: QueueRef) -> list[dict[str, str]]:
        """The connections on which workers wait for jobs, as the server describes them."""
        name = client_name(queue, "")
        return await self._clients(lambda given: given == name or given.startswith(f"{name}:w:"))

    async def beat(self, queue: QueueRef, id: str, status: bytes, ttl_ms: int) -> None:
        """Keep what a worker tells of itself for so long; 0 says that it leaves."""
        await self._connection.run("beat", queue, id, status, ttl_ms)

    async def beats(self, queue: QueueRef) -> list[bytes]:
        """What the workers have told of themselves that are there."""
        return await self._connection.run("beats", queue)

    async def event_readers(self, queue: QueueRef) -> list[dict[str, str]]:
        """The connections that read the queue's events, as the server describes them."""
        name = client_name(queue, ":qe")
        return await self._clients(lambda given: given == name)

    async def _clients(self, wanted: Callable[[str], bool]) -> list[dict[str, str]]:
        """Of a cluster those of the node with the most: a client may be connected to many."""
        nodes: list[list[dict[str, str]]] = []
        for node in await self._connection.nodes():
            try:
                reply = text(await self._connection.command_at(node, "CLIENT", "LIST"))
            except (ScriptError, StoreMisconfigured) as error:
                _logger.warning("the server does not tell who is connected", extra={"error": str(error)})
                continue
            clients = [_description(line) for line in reply.splitlines()]
            nodes.append([one for one in clients if wanted(one.get("name", "")) and not _asks_for_slots(one)])
        return max(nodes, key=len) if nodes else []

    async def names(self, prefix: str) -> list[str]:
        """Names of the queues that have a meta, in order."""
        start, end = f"{prefix}:", ":meta"
        found: set[str] = set()
        async for key in self._keys(literally(start) + "*" + end):
            name = key[len(start) : -len(end)]
            # What has a colon is of another prefix, or of a job.
            if name and ":" not in name:
                found.add(name)
        return sorted(found)

    async def server(self) -> dict[str, str]:
        """The server's report of itself, with ``save`` from its configuration if it tells that."""
        facts: dict[str, str] = {}
        for section in ("server", "clients", "memory", "persistence"):
            facts |= await self._connection.info(section)
        try:
            reply = await self._connection.command("CONFIG", "GET", "save")
        except (ScriptError, StoreMisconfigured):
            # Hosted servers keep their configuration to themselves.
            return facts
        return facts | dict(zip(map(text, reply[::2]), map(text, reply[1::2]), strict=True))

    async def _keys(self, pattern: str) -> AsyncIterator[str]:
        for node in await self._connection.nodes():
            async for keys in self._connection.scan_at(node, pattern, _STEP, "TYPE", "hash"):
                for key in keys:
                    yield text(key)


def _description(line: str) -> dict[str, str]:
    pairs = (word.partition("=") for word in line.split(" "))
    return {name: value for name, _, value in pairs}


def _asks_for_slots(client: Mapping[str, str]) -> bool:
    """A client of a cluster has connections on which it did nothing but learn where the slots are."""
    return client.get("cmd", "").partition("|")[0] in ("cluster", "command")
