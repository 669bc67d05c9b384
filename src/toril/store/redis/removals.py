"""The store's removals: many jobs of a queue, whole queues, and what was left behind. All in short calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from toril.model.names import RESERVED, QueueRef
from toril.store.redis.codec import accept, pack
from toril.store.redis.connection import Connection
from toril.store.redis.trees import LargeTree
from toril.store.values import Obliteration

# Jobs in one call; with what hangs on them, it stays below 3 ms of the server's time.
_MOST_A_CALL = 100
# Ids read at once from a list, and keys looked at by one step of a scan.
_LISTED_A_CALL = 5000
_KEYS_A_STEP = 1000
# Steps of a scan for what passes by itself: in a database of more than a million keys it is left to do so.
_MOST_STEPS = 1000

_LISTS = ("wait", "paused", "active")
_SUFFIXES = frozenset(
    {b"", b"logs", b"dependencies", b"processed", b"failed", b"unsuccessful", b"lock"},
)
# Heads of keys that are no jobs': the queue's own, and toril's.
_HEADS = frozenset(name.split(":")[0].encode() for name in RESERVED) | {b"", b"de", b"dn", b"toril"}


class RedisRemovals:
    """Removals on Redis or Valkey."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def drain(self, queue: QueueRef, *, delayed: bool) -> int:
        """Remove all jobs that wait, but for the next iterations of schedulers; answers how many."""
        removed = 0
        for state in ("wait", "paused", *(("delayed",) if delayed else ()), "prioritized"):
            async for ids in self._sweep(queue, {"state": state, "tell": False}):
                removed += len(ids)
        return removed

    async def clean(self, queue: QueueRef, state: str, before_ms: int, limit: int) -> list[str]:
        """Remove the jobs of a state that are older than an instant; answers their ids.

        Of at most ``limit`` jobs that come first; 0 is all.
        """
        walk: dict[str, Any] = {"state": state, "tell": True, "before": before_ms}
        if limit:
            walk["left"] = limit
        pages = [ids async for ids in self._sweep(queue, walk)]
        # A list is walked from its right end, and told from its left one.
        ordered = reversed(pages) if state in _LISTS else pages
        return [id.decode() for ids in ordered for id in ids]

    async def _sweep(self, queue: QueueRef, walk: dict[str, Any]) -> AsyncIterator[list[bytes]]:
        walk = {"most": _MOST_A_CALL, "kept": 0, "anchor": "", "removed": 0, **walk}
        done = 0
        while not done:
            ids, done, walk["kept"], anchor, walk["left"] = await self._connection.run(
                "sweep", queue, pack(walk)
            )
            walk["anchor"] = anchor.decode()
            walk["removed"] += len(ids)
            yield ids

    async def obliterate(
        self, queue: QueueRef, count: int, *, force: bool, everything: bool
    ) -> Obliteration | None:
        """Remove at most ``count`` jobs of a paused queue, and its own keys after the last one."""
        most, flags = min(count, _MOST_A_CALL), ("1" if force else "0", "1" if everything else "0")
        reply = await self._connection.run("obliterate", queue, most, *flags)
        if reply == -1:
            return None
        if reply == -2:
            return Obliteration(active=True)
        return Obliteration(removed=reply[0], remaining=reply[1], done=reply[2] == 1)

    async def remove_traces(self, queue: QueueRef, *, everything: bool) -> None:
        """Delete what toril keeps beside a queue; with ``everything`` also what deduplication does."""
        kinds = (b"toril", b"de", b"dn") if everything else (b"toril",)
        steps = 0
        async for names in self._names(queue, _KEYS_A_STEP):
            traces = [name for name in names if name.partition(b":")[0] in kinds and b":" in name]
            for name in traces:
                await self._connection.command("UNLINK", queue.base.encode() + name)
            steps += 1
            if steps == _MOST_STEPS and not everything:
                return

    async def remove_orphans(self, queue: QueueRef, count: int, limit: int) -> int:
        """Delete jobs that no state holds, looking at about ``count`` keys at a time; answers how many.

        At most ``limit`` of them; 0 is all.
        """
        deleted = 0
        async for orphans in self._orphans(queue, count, limit, delete=True):
            deleted += len(orphans)
        return deleted

    async def find_orphans(self, queue: QueueRef, count: int, limit: int) -> list[str]:
        """The ids of jobs that no state holds, in no order; see ``remove_orphans``."""
        pages = [orphans async for orphans in self._orphans(queue, count, limit, delete=False)]
        # A scan may show a key twice.
        return list(dict.fromkeys(id.decode() for orphans in pages for id in orphans))

    async def _orphans(
        self, queue: QueueRef, count: int, limit: int, *, delete: bool
    ) -> AsyncIterator[list[bytes]]:
        listed = await self._listed(queue)
        found = 0
        async for names in self._names(queue, count):
            suspects = {job for name in names if (job := _job_of(name))} - listed
            left = limit - found if limit else len(suspects)
            orphans = await self._orphans_among(queue, sorted(suspects), left, delete)
            yield orphans
            found += len(orphans)
            if limit and found >= limit:
                break

    async def _listed(self, queue: QueueRef) -> set[bytes]:
        """What the lists hold: the server would have to look through them for each job."""
        listed: set[bytes] = set()
        for name in _LISTS:
            first = 0
            while ids := await self._connection.command(
                "LRANGE", queue.base + name, first, first + _LISTED_A_CALL - 1
            ):
                listed.update(ids)
                first += _LISTED_A_CALL
        return listed

    async def _orphans_among(
        self, queue: QueueRef, suspects: list[bytes], most: int, delete: bool
    ) -> list[bytes]:
        ids, flag = list(_texts(suspects)), "1" if delete else "0"
        orphans: list[bytes] = []
        while ids and len(orphans) < most:
            batch = pack(ids[:_MOST_A_CALL])
            looked_at, found = await self._connection.run("orphans", queue, batch, most - len(orphans), flag)
            ids = ids[looked_at:]
            orphans += found
        return orphans

    async def _names(self, queue: QueueRef, count: int) -> AsyncIterator[list[bytes]]:
        """Names of the queue's keys, without its base; some may come twice."""
        length = len(queue.base.encode())
        async for keys in self._connection.scan(queue, count):
            yield [key[length:] for key in keys]

    async def remove_pending_children(self, queue: QueueRef, id: str) -> None:
        """Remove children of a job that have not been run, but for those that are being run or failed."""
        if await self._connection.run("remove_pending", queue, id) == 1:
            return
        tree = LargeTree(self._connection, queue, id, pending=True)
        await tree.look()
        await tree.remove()

    async def untie_child(self, queue: QueueRef, id: str, parent_key: str) -> bool:
        """Let a parent no longer wait for a job; ``False`` if it did not."""
        number = await self._connection.run("untie_child", queue, id, parent_key)
        return accept(number, "untie from its parent", queue, id) == 1

    async def free_deduplication(self, queue: QueueRef, id: str, dedup_id: str | None) -> bool:
        """Free the deduplication id of a job; ``False`` if it isn't the one that holds it."""
        return await self._connection.run("free_deduplication", queue, id, dedup_id or "") == 1

    async def remove_deduplication_key(self, queue: QueueRef, dedup_id: str) -> bool:
        """Free a deduplication id, whoever holds it; ``False`` if nobody does."""
        return await self._connection.command("DEL", f"{queue.base}de:{dedup_id}") == 1

    async def deduplication_owner(self, queue: QueueRef, dedup_id: str) -> str | None:
        """The id of the job that holds a deduplication id."""
        owner = await self._connection.command("GET", f"{queue.base}de:{dedup_id}")
        return owner.decode() if owner else None

    async def trim_events(self, queue: QueueRef, most: int) -> int:
        """Forget all but about the last ``most`` events; answers how many."""
        trimmed = 0
        # The server bounds by itself what one call trims.
        while some := await self._connection.command("XTRIM", queue.base + "events", "MAXLEN", "~", most):
            trimmed += some
        return trimmed


def _job_of(name: bytes) -> bytes | None:
    """The id of the job that a key belongs to by its name."""
    head, _, suffix = name.partition(b":")
    return head if head not in _HEADS and suffix in _SUFFIXES else None


def _texts(ids: Iterable[bytes]) -> Iterable[str]:
    for id in ids:
        try:
            yield id.decode()
        except UnicodeDecodeError:
            # No client of a queue writes such an id.
            continue
