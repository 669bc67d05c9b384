"""Removing trees of jobs that are too large for one step: looked through first, then from the leaves on."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

import msgspec

from toril.model.names import QueueRef
from toril.store.redis.codec import pack, text
from toril.store.redis.connection import Connection

# What one call looks at, and what one removes: each stays below 3 ms of the server's time.
_LOOKED_AT_A_CALL = 200
_REMOVED_A_CALL = 25
_LISTED_A_CALL = 5000

_LISTS = ("active", "paused", "wait")


class _Branch(msgspec.Struct):
    """A job below the root.

    Attributes:
        base: What the keys of its queue begin with.
        depth: How many jobs are between it and the root.
        guarded: It is not done, nor is any job between it and the root, so that it must not go while it runs.
        parents: Keys of those jobs of the tree that it is a child of.
    """

    base: str
    depth: int
    guarded: bool
    parents: list[str] = msgspec.field(default_factory=list[str])


class LargeTree:
    """The jobs below one that goes, or below one that stays and gives up its pending children.

    Args:
        pending: The root stays, and only what was not run goes.
    """

    def __init__(self, connection: Connection, queue: QueueRef, id: str, *, pending: bool) -> None:
        self._connection = connection
        self._queue = queue
        self._root = queue.job_key(id)
        self._pending = pending
        self._groups = (
            ("dependencies",) if pending else ("dependencies", "processed", "failed", "unsuccessful")
        )
        self._branches: dict[str, _Branch] = {}

    async def look(self) -> bool:
        """Find all jobs of the tree; ``False`` if one that is not done is running."""
        self._branches.clear()
        to_look_at = deque([(self._root, 0, True)])
        while to_look_at:
            parent, depth, guarded = to_look_at.popleft()
            for group in self._groups:
                below = guarded and group == "dependencies"
                async for key, base, runs, children in self._children(parent, group):
                    if runs and below and not self._pending:
                        return False
                    if self._note(key, parent, _Branch(base, depth, below)) and children:
                        to_look_at.append((key, depth + 1, below))
        return True

    def _note(self, key: str, parent: str, found: _Branch) -> bool:
        """Remember a child; ``False`` if it was known."""
        if key == self._root:
            return False
        branch = self._branches.setdefault(key, found)
        branch.guarded = branch.guarded or found.guarded
        branch.parents.append(parent)
        return branch is found

    async def _children(self, parent: str, group: str) -> AsyncIterator[tuple[str, str, bool, int]]:
        cursor, kind = b"0", "1" if self._pending else "0"
        while True:
            cursor, found = await self._connection.run(
                "branches", self._queue, parent, group, cursor, _LOOKED_AT_A_CALL, kind
            )
            for key, base, runs, children in found:
                yield text(key), text(base), runs == 1, children
            if cursor == b"0":
                return

    async def remove(self) -> bool:
        """Remove what was found, children first; ``False`` if one of them has been started meanwhile."""
        rest = [(key, branch.parents, branch.guarded) for key, branch in await self._in_order()]
        root = self._root if self._pending else ""
        while rest:
            batch = rest[: -_REMOVED_A_CALL - 1 : -1]
            removed, runs = await self._connection.run("remove_branches", self._queue, pack(batch), root)
            del rest[len(rest) - removed :]
            if runs:
                return False
        return True

    async def _in_order(self) -> list[tuple[str, _Branch]]:
        """What is found, the deepest last, and what stands together in a list together."""
        places: dict[str, int] = {}
        for base in {branch.base for branch in self._branches.values()}:
            for name in _LISTS:
                async for id in self._listed(base + name):
                    key = base + id
                    if key in self._branches:
                        places[key] = len(places)
        return sorted(self._branches.items(), key=lambda found: (found[1].depth, places.get(found[0], 0)))

    async def _listed(self, key: str) -> AsyncIterator[str]:
        first = 0
        while ids := await self._connection.command("LRANGE", key, first, first + _LISTED_A_CALL - 1):
            for id in ids:
                yield text(id)
            first += _LISTED_A_CALL
