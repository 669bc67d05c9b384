"""The store's families: the children of a job, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toril.model.names import QueueRef
from toril.store.redis.codec import fields_of, pack
from toril.store.redis.connection import Connection
from toril.store.values import CHILD_KINDS, Dependencies, PendingChild

# Children of a job that are looked at to tell whether it can ever run.
_MOST_CHILDREN = 100
# Children that are read at once when there are very many.
_CHILDREN_A_CALL = 1000


class RedisFamily:
    """Parents and children on Redis or Valkey."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def dependencies(
        self, queue: QueueRef, id: str, pages: Mapping[str, tuple[int, int]] | None = None
    ) -> Dependencies:
        """Children of a job by what became of them.

        Args:
            pages: For each kind asked for, where to go on and about how many; ``None`` for all of all kinds.
        """
        wanted = dict.fromkeys(CHILD_KINDS, (0, 0)) if pages is None else pages
        asked = [(kind, cursor, count) for kind, (cursor, count) in wanted.items()]
        replies = await self._connection.run("dependencies", queue, id, pack(asked))
        if replies is None:
            return await self._all_dependencies(queue, id)
        found = Dependencies()
        for kind, (entries, cursor) in zip(wanted, replies, strict=True):
            found.next[kind] = cursor
            _fill(found, kind, entries)
        return found

    async def _all_dependencies(self, queue: QueueRef, id: str) -> Dependencies:
        """Very many children, in pages. What is pending comes first: a child leaves it, so none is missed."""
        found = Dependencies(next=dict.fromkeys(CHILD_KINDS, 0))
        unprocessed: dict[str, None] = {}
        for kind in ("unprocessed", "failed", "ignored", "processed"):
            cursor, more = 0, True
            while more:
                page = await self.dependencies(queue, id, {kind: (cursor, _CHILDREN_A_CALL)})
                unprocessed.update(dict.fromkeys(page.unprocessed))
                found.failed += page.failed
                found.ignored.update(page.ignored)
                found.processed.update(page.processed)
                cursor = page.next[kind]
                more = cursor != 0
        done = {*found.failed, *found.ignored, *found.processed}
        found.unprocessed = [key for key in unprocessed if key not in done]
        return found

    async def dependency_counts(self, queue: QueueRef, id: str) -> dict[str, int]:
        """How many children of each kind a job has."""
        key = queue.job_key(id)
        counters = (
            ("HLEN", ":processed"),
            ("SCARD", ":dependencies"),
            ("HLEN", ":failed"),
            ("ZCARD", ":unsuccessful"),
        )
        counts = [await self._connection.command(command, key + suffix) for command, suffix in counters]
        return dict(zip(CHILD_KINDS, counts, strict=True))

    async def children_values(self, queue: QueueRef, id: str) -> dict[str, bytes]:
        """JSON results of the job's completed children, by their keys."""
        values = fields_of(await self._connection.command("HGETALL", queue.job_key(id) + ":processed"))
        return {key.decode(): value for key, value in values.items()}

    async def ignored_failures(self, queue: QueueRef, id: str) -> dict[str, str]:
        """Reasons of failed children that did not fail the job, by their keys."""
        return _texts(await self._connection.command("HGETALL", queue.job_key(id) + ":failed"))

    async def waiting_parents(self, queue: QueueRef, first: int, last: int) -> list[str]:
        """Ids of jobs that wait for children, those that wait longest first."""
        ids = await self._connection.command("ZRANGE", queue.base + "waiting-children", first, last)
        return [id.decode() for id in ids]

    async def pending_children(self, queue: QueueRef, ids: Sequence[str]) -> list[list[PendingChild] | None]:
        """What each job waits for, of many children only some; ``None`` for one that does not wait."""
        replies = await self._connection.run("pending", queue, pack(list(ids)), _MOST_CHILDREN)
        return [
            None
            if children is None
            else [PendingChild(key.decode(), state.decode()) for key, state in children]
            for children in replies
        ]


def _fill(found: Dependencies, kind: str, entries: Sequence[bytes]) -> None:
    match kind:
        case "processed":
            found.processed = {key.decode(): value for key, value in fields_of(entries).items()}
        case "unprocessed":
            found.unprocessed = _names(entries)
        case "ignored":
            found.ignored = _texts(entries)
        case _:
            found.failed = _names(entries)


def _names(keys: Iterable[bytes]) -> list[str]:
    return [key.decode() for key in keys]


def _texts(flat: Sequence[Any]) -> dict[str, str]:
    return {key.decode(): text.decode("utf-8", "replace") for key, text in fields_of(flat).items()}
