"""What only reads a queue: counts, pages of jobs, walks through whole states, children, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from toril.model.job import JobRecord
from toril.model.names import QueueRef, split_job_key
from toril.store.redis.codec import SLOTS_PER_MS, fields_of, pack, text
from toril.store.redis.connection import Connection
from toril.store.redis.watching import Watching
from toril.store.values import Child, Children, Mark, MetricsRecord

_STORED_NAMES = {"waiting": "wait"}
_LISTS = ("wait", "active", "paused")

# What a call reads at most, so that it stays below 3 ms of the server's time: hashes of jobs, and ids.
_HASHES = 250
_IDS = 5_000
#: So many ids are read in one step, which takes about 2 ms.
MOST_AT_ONCE = 10_000
# Ids in a step of a walk, and how many of them are looked for by the next step.
_STEP, _ANCHORS = 1_000, 16
# Points of metrics in a call.
_POINTS = 5_000
# A page whose ids have no jobs is filled up from so many times its own length. Source: BullMQ 6.7.
_ROUNDS = 5
# No list is so long.
_ALL = 2**53

# A part of a page as the script takes it: state, first and last position, how many jobs are wanted.
_Span = tuple[str, int, int, int]


class QueueReading(Watching):
    """The reading half of queues on Redis or Valkey."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def counts(self, queue: QueueRef, states: Sequence[str]) -> list[int]:
        """How many jobs each state holds."""
        stored = _stored_names(states)
        counts = dict(zip(stored, await self._connection.run("counts", queue, pack(stored)), strict=True))
        return [counts[_STORED_NAMES.get(state, state)] for state in states]

    async def counts_per_priority(self, queue: QueueRef, priorities: Sequence[int]) -> list[int]:
        """How many waiting jobs have each priority; 0 counts those without."""
        return await self._connection.run("priorities", queue, pack(list(priorities)))

    async def delayed_before(self, queue: QueueRef, before_ms: int) -> int:
        """How many delayed jobs are due before this instant."""
        bound = f"({before_ms * SLOTS_PER_MS}"
        return await self._connection.command("ZCOUNT", queue.base + "delayed", "-inf", bound)

    async def page(
        self, queue: QueueRef, states: Sequence[str], first: int, last: int, *, ascending: bool
    ) -> list[JobRecord]:
        """Jobs of some states, newest first unless ``ascending``."""
        spans = [_filling_span(state, first, last) for state in _stored_names(states)]
        parts = await self._parts(queue, spans, ascending=ascending)
        pages = [
            await self._whole_page(queue, span, part, ascending=ascending)
            for span, part in zip(spans, parts, strict=True)
        ]
        return [record for page in pages for record in page]

    async def _parts(
        self,
        queue: QueueRef,
        spans: Sequence[_Span],
        *,
        ascending: bool,
        hashes: int = _HASHES,
        most: int = _IDS,
    ) -> list[Any]:
        order = "1" if ascending else "0"
        return await self._connection.run("page", queue, pack(spans), order, hashes, most)

    async def _whole_page(
        self, queue: QueueRef, span: _Span, part: Sequence[Any], *, ascending: bool
    ) -> list[JobRecord]:
        """The jobs of a part, and those that one call was not enough for; what has moved comes once."""
        state, _, last, wanted = span
        rows, unread, position = part
        page = _records(queue, rows)
        known = {record.id for record in page}
        while len(page) < wanted and (unread or position >= 0):
            if unread:
                count = min(_HASHES, wanted - len(page))
                ids, unread = unread[:count], unread[count:]
                found = await self.read(queue, [text(id) for id in ids])
            else:
                again = (state, position, last, wanted - len(page))
                ((rows, unread, position),) = await self._parts(queue, [again], ascending=ascending)
                found = _records(queue, rows)
            page += [record for record in found if record.id not in known]
            known.update(record.id for record in found)
        return page

    async def ids(
        self, queue: QueueRef, states: Sequence[str], first: int, last: int, *, ascending: bool
    ) -> list[str]:
        """Ids at some positions of some states, each once, whether there is a job or not."""
        found: dict[str, None] = {}
        for state in _stored_names(states):
            position = first
            while True:
                span = (state, position, last, _ALL)
                ((_, ids, after),) = await self._parts(queue, [span], ascending=ascending, hashes=0)
                found.update(dict.fromkeys(map(text, ids)))
                if after < 0:
                    break
                position = after
        return list(found)

    async def ids_at_once(self, queue: QueueRef, states: Sequence[str]) -> list[str] | None:
        """All ids of some states as they are at one moment; ``None`` if they are too many for a step."""
        spans = [(state, 0, -1, _ALL) for state in _stored_names(states)]
        parts = await self._parts(queue, spans, ascending=True, hashes=0, most=MOST_AT_ONCE)
        if any(after >= 0 for _, _, after in parts):
            return None
        return [text(id) for _, ids, _ in parts for id in ids]

    async def walk(
        self, queue: QueueRef, state: str, place: Mark | None = None
    ) -> tuple[list[str], Mark | None]:
        """Some more ids of a state, and the place after them; ``None`` at the end.

        An id that is in the state from the first step to the last comes at least once, wherever it moves to.
        """
        (state,) = _stored_names([state])
        place = place or Mark(0)
        if state in _LISTS:
            anchors = pack(place.anchors)
            ids, after = await self._connection.run("walk", queue, state, place.position, anchors, _STEP)
            next_place = Mark(after, tuple(map(text, ids[-_ANCHORS:]))) if after >= 0 else None
        else:
            # The server vouches for this: what is there all the time is found, however scores change.
            key = queue.base + state
            cursor, flat = await self._connection.command("ZSCAN", key, place.position, "COUNT", _STEP)
            ids, after = flat[::2], int(cursor)
            next_place = Mark(after) if after else None
        return [text(id) for id in ids], next_place

    async def read(self, queue: QueueRef, ids: Sequence[str]) -> list[JobRecord]:
        """Jobs by their ids; those that are gone are left out."""
        found: list[JobRecord] = []
        for start in range(0, len(ids), _HASHES):
            some = pack(ids[start : start + _HASHES])
            found += _records(queue, await self._connection.run("read", queue, some))
        return found

    async def locks(self, queue: QueueRef, ids: Sequence[str]) -> list[tuple[str, int] | None]:
        """For each job the token of its lock and the ms until that expires; ``None`` without a lock."""
        found: list[tuple[str, int] | None] = []
        for start in range(0, len(ids), _HASHES):
            some = pack(ids[start : start + _HASHES])
            locks = await self._connection.run("locks", queue, some)
            found += [(text(lock[0]), lock[1]) if lock is not None else None for lock in locks]
        return found

    async def children(self, queue: QueueRef, id: str, part: str, first: int, last: int) -> Children:
        """Children of a job, with their jobs; ``last`` is included, -1 is the last.

        Args:
            part: ``processed``, ``dependencies`` (those that are pending) or ``failed`` (those ignored).
        """
        cursor, offset, total = b"0", 0, 0
        found: dict[str, bytes | None] = {}
        bound = _ALL if last < 0 else last
        while True:
            cursor, offset, members, total = await self._connection.run(
                "members", queue, f"{id}:{part}", cursor, offset, first, bound
            )
            # A scan may show a member twice.
            found.update((text(member[0]), member[1] if len(member) > 1 else None) for member in members)
            if cursor == b"0" or offset > bound:
                break
        records = await self._by_keys(queue, list(found))
        return Children([Child(key, value, records.get(key)) for key, value in found.items()], total)

    async def _by_keys(self, parent: QueueRef, keys: Sequence[str]) -> dict[str, JobRecord]:
        """The jobs of some keys, which may be of any queue."""
        ids: dict[QueueRef, list[str]] = {}
        for key in keys:
            if owner := split_job_key(key, parent.prefix):
                ids.setdefault(owner[0], []).append(owner[1])
        groups = await asyncio.gather(*(self.read(queue, some) for queue, some in ids.items()))
        return {record.queue.job_key(record.id): record for group in groups for record in group}

    async def metrics(self, queue: QueueRef, kind: str, first: int, last: int) -> MetricsRecord:
        """The counts of jobs that ended as ``kind``; ``last`` is included, -1 is the last."""
        while True:
            head, kept, points, position = await self._metrics(queue, kind, first, last)
            while position >= 0:
                again, _, more, position = await self._metrics(queue, kind, position, last)
                # A minute has passed meanwhile, and all points have moved on.
                if again[1] != head[1]:
                    break
                points += more
            else:
                return MetricsRecord(head[0], head[1], head[2], kept, points)

    async def _metrics(self, queue: QueueRef, kind: str, first: int, last: int) -> list[Any]:
        return await self._connection.run("metrics", queue, kind, first, last, _POINTS)


def _filling_span(state: str, first: int, last: int) -> _Span:
    """Positions to read for a page; one whose length is known is filled up from those behind it."""
    if first < 0 or last < 0:
        return state, first, last, _ALL
    wanted = max(last - first + 1, 0)
    return state, first, first + _ROUNDS * wanted - 1, wanted


def _records(queue: QueueRef, rows: Sequence[Any]) -> list[JobRecord]:
    return [JobRecord(queue, text(id), fields_of(flat)) for id, flat in rows]


def _stored_names(states: Sequence[str]) -> list[str]:
    """Names of the states' keys, each once."""
    return list(dict.fromkeys(_STORED_NAMES.get(state, state) for state in states))
