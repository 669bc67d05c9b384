"""Connections of their own: waiting for jobs, renewing locks from a thread."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Sequence
from typing import Any

from toril.errors import StoreUnavailable
from toril.model.names import QueueRef
from toril.store.redis.address import Address
from toril.store.redis.changes import pack_locks, read_renewed
from toril.store.redis.codec import SLOTS_PER_MS
from toril.store.redis.connection import Connection
from toril.store.redis.wire import Word
from toril.store.values import Renewed

# A wait is given up on our side so many seconds after the server should have answered.
_GRACE = 1.0
# The shortest wait that every server since 6.2 takes for a wait, and the longest; in seconds.
_SHORTEST, _LONGEST = 0.002, 10.0


class Ear:
    """A connection that waits on the server, with a deadline of our own: a wait is never deaf."""

    def __init__(self, address: Address, name: str) -> None:
        self._connection = Connection(address, name, patience=None)

    async def ask(self, timeout: float, *words: Word) -> Any:
        """Ask and wait for ``timeout`` seconds and some grace; breaking off costs the connection."""
        return await self._within(timeout, self._connection.command(*words), words[0])

    async def run(self, timeout: float, name: str, queue: QueueRef, *args: Word) -> Any:
        """Run a script, with the same patience."""
        return await self._within(timeout, self._connection.run(name, queue, *args), name)

    async def _within(self, timeout: float, asking: Awaitable[Any], what: Word) -> Any:
        try:
            async with asyncio.timeout(timeout + _GRACE):
                return await asking
        except TimeoutError:
            self._connection.drop()
            raise StoreUnavailable(f"no answer to {what} within {timeout + _GRACE:g} s") from None
        except asyncio.CancelledError:
            # The reply to a wait that nobody waits for any more would take a job's marker with it.
            self._connection.drop()
            raise

    @property
    def connects(self) -> int:
        """How many connections there were so far."""
        return self._connection.connects

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


def client_name(queue: QueueRef, suffix: str) -> str:
    """How a connection names itself, so that Node's ``getWorkers()`` finds it. Source: BullMQ 6.7."""
    return f"{queue.prefix}:{base64.b64encode(queue.name.encode()).decode()}{suffix}"


class RedisWaiter:
    """Waits on the marker of a queue."""

    def __init__(self, address: Address, queue: QueueRef, worker: str | None) -> None:
        self._ear = Ear(address, client_name(queue, f":w:{worker}" if worker else ""))
        self._base = queue.base

    async def connect(self) -> None:
        """Connect already, under the worker's name; of a cluster to the node that is waited at."""
        await self._ear.ask(0, "EXISTS", self._base + "marker")

    async def wait(self, timeout: float) -> int | None:
        """Wait for word of a job, at most ``timeout`` seconds (bounded by what servers take).

        Returns:
            When to look: ms since the epoch, 0 for now; ``None`` when no word came.
        """
        timeout = min(max(timeout, _SHORTEST), _LONGEST)
        word = await self._ear.ask(timeout, "BZPOPMIN", self._base + "marker", f"{timeout:.3f}")
        return int(float(word[2])) if word else None

    async def is_quiet(self, next_due_ms: int) -> bool:
        """Whether no job waits and the next delayed one is due at ``next_due_ms``; 0 if none is delayed.

        Idle workers ask this again and again, so it is one plain command where no job is delayed, else two.
        """
        ready, delayed = (self._base + "wait", self._base + "prioritized"), self._base + "delayed"
        if not next_due_ms:
            return not await self._ear.ask(0, "EXISTS", *ready, delayed)
        if await self._ear.ask(0, "EXISTS", *ready):
            return False
        first = await self._ear.ask(0, "ZRANGE", delayed, 0, 0, "WITHSCORES")
        return bool(first) and int(float(first[1])) // SLOTS_PER_MS == next_due_ms

    async def close(self) -> None:
        """Close the connection, a wait under way included."""
        await self._ear.close()


def summons_key(queue: QueueRef, owner: str) -> str:
    """The list into which the cancel script puts word of jobs whose lock tokens begin with ``owner``."""
    return f"{queue.base}toril:cancel:{owner}"


class RedisSummons:
    """Waits for word of cancelled jobs in lists that are their worker's own."""

    def __init__(self, address: Address, keys: Sequence[str]) -> None:
        self._ear = Ear(address, "toril-summons")
        self._keys = keys

    async def wait(self, timeout: float) -> tuple[str, str] | None:
        """The token and the id of a cancelled job, or ``None`` after about ``timeout`` seconds."""
        timeout = min(max(timeout, _SHORTEST), _LONGEST)
        word = await self._ear.ask(timeout, "BLPOP", *self._keys, f"{timeout:.3f}")
        if not word:
            return None
        token, _, id = word[1].decode().partition(" ")
        return token, id

    async def close(self) -> None:
        """Close the connection, a wait under way included."""
        await self._ear.close()


class RedisRenewer:
    """Renews locks for a thread whose loop the handlers can't hold up; it connects when it is first used."""

    def __init__(self, address: Address) -> None:
        self._connection = Connection(address)

    async def renew(self, queue: QueueRef, locks: Sequence[tuple[str, str]], lock_ms: int) -> Renewed:
        """Renew locks; answers which are lost, and which jobs are cancelled."""
        return read_renewed(await self._connection.run("renew", queue, pack_locks(locks), lock_ms))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
