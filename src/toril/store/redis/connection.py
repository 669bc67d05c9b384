"""Running scripts and commands on a connection that is renewed when it is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

from toril.errors import ScriptError, StoreError, StoreMisconfigured, StoreUnavailable
from toril.model.names import QueueRef
from toril.store.redis.address import Address
from toril.store.redis.cluster import ClusterNode, ClusterWire
from toril.store.redis.script import Script, script
from toril.store.redis.wire import ServerError, Wire, Word

#: Seconds without an answer until a connection is given up; a call itself stays far below.
PATIENCE = 10.0

# What a pattern of keys gives a meaning to.
_GLOB = re.compile(r"[*?\[\]^\\-]")
# Answers of a server that will be able again without anybody's help (see `StoreUnavailable`).
_PASSING = ("LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY ", "MISCONF", "OOM ", "READONLY")
_REFUSED = (
    "WRONGPASS",
    "NOAUTH",
    "NOPERM",
    "ERR AUTH",
    "ERR invalid password",
    "ERR DB index",
    "ERR invalid DB",
)


class Connection:
    """A connection of one event loop to one server, made when it is first used.

    Args:
        name: What it is called in the server's list of clients.
        patience: Seconds without an answer until it is given up; ``None`` leaves that to the caller.

    Attributes:
        connects: How often it was made.
    """

    def __init__(self, address: Address, name: str = "", patience: float | None = PATIENCE) -> None:
        self.address = address
        self.connects: int = 0
        self._name = name
        self._patience = patience
        self._wire: Wire | ClusterWire | None = None
        self._connecting: asyncio.Task[Wire | ClusterWire] | None = None
        # Callers that wait for it: whoever comes now stands behind them.
        self._waiting = 0

    @property
    def in_order(self) -> bool:
        """Whether the server does what is asked at the same time in the order in which it was asked."""
        return self.address.kind != "cluster"

    async def run(self, name: str, queue: QueueRef, *args: Word) -> Any:
        """Run a script on a queue.

        Raises:
            StoreUnavailable: No answer; it may or may not have run.
            ScriptError: The script failed.
        """
        run = script(name)
        if len(args) != len(run.args):
            raise TypeError(f"{name} takes {run.args}, got {len(args)} arguments")
        key = queue.base + "meta"
        try:
            wire = await self._alive()
            if run.digest in wire.scripts:
                try:
                    return await wire.ask(("EVALSHA", run.digest, 1, key, *args))
                except ServerError as error:
                    if not str(error).startswith("NOSCRIPT"):
                        raise
            # Whoever comes behind this one on the same connection can count on the script being there.
            wire.scripts.add(run.digest)
            return await wire.ask(("EVAL", run.source, 1, key, *args))
        except ServerError as error:
            raise self._translated(str(error), run, queue) from error

    async def command(self, *words: Word) -> Any:
        """Run one plain command; its reply is not reshaped."""
        try:
            return await (await self._alive()).ask(words)
        except ServerError as error:
            raise self._translated(str(error)) from error

    async def scan(self, queue: QueueRef, count: int) -> AsyncIterator[list[bytes]]:
        """Keys of a queue, some perhaps twice, in pages for which ``count`` keys of the server are looked at.

        In a cluster the node is asked that has the queue's slot.
        """
        wire = await self._alive()
        node = await wire.node_of(queue.base) if isinstance(wire, ClusterWire) else None
        async for keys in self.scan_at(node, literally(queue.base) + "*", count):
            yield keys

    async def scan_at(
        self, node: ClusterNode | None, pattern: str, count: int, *more: Word
    ) -> AsyncIterator[list[bytes]]:
        """Keys at one of the ``nodes`` that fit a pattern; ``more`` words narrow it down."""
        cursor: Any = "0"
        while True:
            words = ("SCAN", cursor, "MATCH", pattern, "COUNT", count, *more)
            cursor, keys = await self.command_at(node, *words)
            yield keys
            if int(cursor) == 0:
                return

    async def nodes(self) -> list[ClusterNode | None]:
        """Where ``command_at`` can send a command: each primary of a cluster, or else the one server."""
        wire = await self._alive()
        return [*await wire.nodes()] if isinstance(wire, ClusterWire) else [None]

    async def command_at(self, node: ClusterNode | None, *words: Word) -> Any:
        """Run one plain command at one of the ``nodes``."""
        if node is None:
            return await self.command(*words)
        wire = await self._alive()
        assert isinstance(wire, ClusterWire)
        try:
            return await wire.ask(words, node)
        except ServerError as error:
            raise self._translated(str(error)) from error

    async def info(self, section: str) -> dict[str, str]:
        """One section of the server's own report; of any node, in a cluster."""
        report = await self.command("INFO", section)
        lines = (line.partition(":") for line in report.decode().splitlines() if not line.startswith("#"))
        return {name: value for name, _, value in lines if name}

    async def _alive(self) -> Wire | ClusterWire:
        """The connection; all who wait for it go on in the order in which they came."""
        if self._wire is not None and not self._wire.lost and not self._waiting:
            return self._wire
        self._waiting += 1
        try:
            return await self._connect()
        finally:
            self._waiting -= 1

    async def _connect(self) -> Wire | ClusterWire:
        connecting = self._connecting
        if connecting is None or (connecting.done() and (self._wire is None or self._wire.lost)):
            connecting = self._connecting = asyncio.create_task(self._new_wire())
            connecting.add_done_callback(_heed)
        # Nobody who waits can end it for the others.
        await asyncio.wait([connecting])
        if connecting.cancelled():
            raise StoreUnavailable("the connection was closed while it was made")
        return connecting.result()

    async def _new_wire(self) -> Wire | ClusterWire:
        try:
            if self.address.kind == "cluster":
                wire = ClusterWire(self.address, self._name, self._patience)
            else:
                wire = await self.address.connect(self._name, self._patience)
        except ServerError as error:
            raise self._translated(str(error)) from error
        self.connects += 1
        self._wire = wire
        return wire

    def _translated(
        self, message: str, run: Script | None = None, queue: QueueRef | None = None
    ) -> StoreError:
        """The server's error as one of ours."""
        if message.startswith(_REFUSED):
            return StoreMisconfigured(f"the server refuses us: {message}")
        if any(word in message for word in _PASSING):
            # After a failover the primary is elsewhere; it is looked for when connecting.
            if "READONLY" in message:
                self.drop()
            return StoreUnavailable(f"the server can't serve us now: {message}")
        if run is None or queue is None:
            return ScriptError(message)
        return ScriptError(f"queue {queue.name}: {run.explain(message)}")

    def drop(self) -> None:
        """Give the connection up; the next call makes a new one."""
        if self._wire is not None:
            self._wire.drop()

    async def close(self) -> None:
        """Close the connection; the next call would make a new one."""
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()


def _heed(connecting: asyncio.Task[Wire | ClusterWire]) -> None:
    """Whoever waits hears of an error; if nobody waits any more, nobody need hear of it."""
    if not connecting.cancelled():
        connecting.exception()


def literally(part: str) -> str:
    """A part of a key as a pattern that fits nothing else."""
    return _GLOB.sub(r"\\\g<0>", part)
