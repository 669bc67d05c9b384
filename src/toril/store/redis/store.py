"""The store: jobs and queues on one pool of connections, and a look at the server before first use."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from toril.errors import StoreMisconfigured
from toril.model.names import QueueRef
from toril.store.redis.address import Address
from toril.store.redis.cluster import slot_of
from toril.store.redis.connection import Connection
from toril.store.redis.events import RedisEvents
from toril.store.redis.family import RedisFamily
from toril.store.redis.jobs import RedisJobs
from toril.store.redis.limits import RedisLimits
from toril.store.redis.queues import RedisQueues
from toril.store.redis.removals import RedisRemovals
from toril.store.redis.schedulers import RedisSchedulers
from toril.store.redis.waiting import RedisRenewer, RedisSummons, RedisWaiter, summons_key

_logger = logging.getLogger(__name__)

# The first version with all the commands that the scripts use.
_OLDEST = (6, 2)


def open_redis(
    url: str, now_ms: Callable[[], int], receipts: bool, revive: Callable[[], None] | None
) -> RedisStore:
    """A store for this URL; it connects when it is first used."""
    return RedisStore(msgspec.structs.replace(Address.parse(url), revive=revive), now_ms, receipts)


class RedisStore:
    """Everything on one server, for one event loop."""

    def __init__(self, address: Address, now_ms: Callable[[], int], receipts: bool = True) -> None:
        self.now_ms = now_ms
        self._address = address
        self._connection = Connection(address)
        self.jobs: RedisJobs = RedisJobs(self._connection, now_ms, receipts=receipts)
        self.family: RedisFamily = RedisFamily(self._connection)
        self.schedulers: RedisSchedulers = RedisSchedulers(self._connection, now_ms)
        self.queues: RedisQueues = RedisQueues(self._connection, now_ms)
        self.events: RedisEvents = RedisEvents(self._connection)
        self.removals: RedisRemovals = RedisRemovals(self._connection)
        self.limits: RedisLimits = RedisLimits(self._connection)
        self._checked = False
        self._checking = asyncio.Lock()

    async def ready(self) -> None:
        """Look at the server once: version, role, eviction.

        Raises:
            StoreUnavailable: It does not answer.
            StoreMisconfigured: It is too old, a read-only replica, or refuses us.
        """
        async with self._checking:
            if not self._checked:
                await self._check_server()
                self._checked = True

    async def _check_server(self) -> None:
        sections = ("server", "replication", "memory")
        server, replication, memory = await asyncio.gather(*map(self._connection.info, sections))
        version = server.get("redis_version", "")
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if numbers and numbers < _OLDEST:
            raise StoreMisconfigured(f"the server is version {version}; toril needs 6.2 or newer")
        if replication.get("role") in ("slave", "replica"):
            raise StoreMisconfigured("the server is a read-only replica; give the URL of its primary")
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            _logger.warning(
                "the server may evict jobs when its memory is full; set maxmemory-policy to noeviction",
                extra={"maxmemory_policy": policy},
            )

    def check_queue(self, queue: QueueRef) -> None:
        """In a cluster all keys of a queue must be in one slot, which takes a hash tag.

        Raises:
            StoreMisconfigured: Neither the prefix nor the name of the queue has one.
        """
        if self._address.kind == "cluster" and not re.match(r"[^{]*\{[^}]+\}", queue.qualified):
            raise StoreMisconfigured(
                f"in a cluster, put braces in the prefix or the name of queue {queue.name!r}: "
                f"prefix='{{{queue.prefix}}}' or '{{{queue.name}}}'"
            )

    def check_slot(self, keys: Sequence[str]) -> None:
        """In a cluster all keys of one step must be in one slot.

        Raises:
            StoreMisconfigured: They are in several.
        """
        if self._address.kind != "cluster":
            return
        by_slot = {slot_of(key): key for key in keys}
        if len(by_slot) > 1:
            places = " and ".join(repr(key) for key in sorted(by_slot.values())[:2])
            raise StoreMisconfigured(
                f"in a cluster, jobs that depend on each other must be in one slot, and {places} are not; "
                "put the same braces in the prefix or the names of their queues: prefix='{shop}'"
            )

    def waiter(self, queue: QueueRef, worker: str | None) -> RedisWaiter:
        """An ear of its own for one worker."""
        return RedisWaiter(self._address, queue, worker)

    def summons(self, owners: Mapping[QueueRef, str]) -> list[RedisSummons]:
        """What calls the worker whose lock tokens begin so in its queues: in a cluster one for each slot."""
        by_lane: dict[int, list[str]] = {}
        for queue, owner in owners.items():
            by_lane.setdefault(self.events.lane(queue), []).append(summons_key(queue, owner))
        return [RedisSummons(self._address, keys) for keys in by_lane.values()]

    def renewer(self) -> RedisRenewer:
        """A renewer of locks for a thread."""
        return RedisRenewer(self._address)

    async def close(self) -> None:
        """Finish what is under way, then close every connection."""
        await self.jobs.drain()
        await self.schedulers.drain()
        await self._connection.close()
