"""Reading a stream on from a place in it: which events are new, and whether any are missing.

A server since version 7 counts the entries that were ever added to a stream. A place holds that count, so it
is known exactly how many entries were trimmed away before they were read. Older servers don't count: there,
events count as missing when the entry that was read last is gone itself, which may be one time too often.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from toril.errors import OptionError
from toril.model.event import Event, gap
from toril.model.names import QueueRef

_MOST = 2**64 - 1
_ID = re.compile(r"(\d{1,20})(?:-(\d{1,20}))?", re.ASCII)


class StreamId(NamedTuple):
    """The id of an entry."""

    ms: int
    seq: int

    @classmethod
    def parse(cls, text: str | bytes) -> StreamId:
        """Read an id.

        Raises:
            ValueError: It is none.
        """
        ms, _, seq = (text if isinstance(text, str) else text.decode()).partition("-")
        return cls(int(ms), int(seq))

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


#: Before every entry.
BEGINNING = StreamId(0, 0)


class Place(msgspec.Struct, frozen=True):
    """A place in a stream: behind an entry.

    Attributes:
        id: Id of the entry.
        count: How many entries were ever added up to it; ``None`` if that is not known.
    """

    id: StreamId
    count: int | None = None


def check_event_id(value: object) -> Place | None:
    """Where a reader is to begin: behind an id, at the beginning (``0``), or now (``$``: ``None``).

    Raises:
        OptionError: It is something else, or beyond the ids that servers have: two numbers below 2^64.
    """
    if value == "$":
        return None
    found = _ID.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise OptionError("last_event_id", value, "must be an id of an event, '0' for all events, or '$'")
    id = StreamId(int(found.group(1)), int(found.group(2) or 0))
    if max(id) > _MOST:
        raise OptionError("last_event_id", value, f"is no id of an event: the numbers end at {_MOST}")
    return Place(id)


Entry = tuple[bytes, Mapping[bytes, bytes]]


class Look(msgspec.Struct, frozen=True):
    """A stream as it was at one moment, and its entries behind a place.

    Attributes:
        first: Id of its first entry, if it has any.
        last: The latest id it ever had; the beginning if there is no stream.
        length: How many entries it holds.
        added: How many entries it ever had; ``None`` if the server does not count.
        entries: What is behind the place: all, or the first so many of it.
        more: Whether there may be more behind these.
    """

    first: StreamId | None
    last: StreamId
    length: int
    added: int | None
    entries: Sequence[Entry]
    more: bool


class Reading(msgspec.Struct, frozen=True):
    """What a look has brought.

    Attributes:
        events: The events, each with the count of its place.
        place: Where to go on.
        more: Whether to look again at once.
    """

    events: list[tuple[Event, int | None]]
    place: Place
    more: bool


def append(queue: QueueRef, place: Place, entries: Sequence[Entry]) -> Reading:
    """Go on from a place by what a wait brought, which may hold entries before the place, too."""
    ids = [StreamId.parse(id) for id, _ in entries]
    events: list[tuple[Event, int | None]] = [
        (Event(queue, id.decode(), raw), None)
        for (id, raw), parsed in zip(entries, ids, strict=True)
        if parsed > place.id
    ]
    return Reading(events, Place(max([place.id, *ids])), more=False)


def read_on(queue: QueueRef, place: Place, look: Look) -> Reading:
    """Go on from a place; what is missing is told by an event in front of the others."""
    if look.last < place.id:
        # It is another stream: what the old one held behind the place, nobody knows.
        start = Place(BEGINNING, 0)
        return Reading([_gap_event(queue, place, start, look, None)], start, more=look.last > BEGINNING)
    missing = _missing(place, look)
    count = _base_count(place, look, missing)
    events: list[tuple[Event, int | None]] = []
    if missing != 0:
        events.append(_gap_event(queue, place, Place(place.id, count), look, missing))
    for number, (id, raw) in enumerate(look.entries, 1):
        events.append((Event(queue, id.decode(), raw), None if count is None else count + number))
    end = StreamId.parse(look.entries[-1][0]) if look.entries else place.id
    if not look.more:
        # Entries at the end may be gone already.
        end = max(end, look.last)
    return Reading(events, Place(end, None if count is None else count + len(look.entries)), look.more)


def _missing(place: Place, look: Look) -> int | None:
    """How many entries behind the place are gone; ``None`` if some are, or may be, and it can't be told."""
    if place.count is None or look.added is None:
        reached = look.first is not None and look.first <= place.id
        return 0 if reached or place.id in (BEGINNING, look.last) else None
    if not look.more:
        missing = look.added - place.count - len(look.entries)
    elif look.first is not None and look.first > place.id:
        missing = look.added - look.length - place.count
    else:
        missing = 0
    # Fewer than there were: it is another stream.
    return missing if missing >= 0 else None


def _base_count(place: Place, look: Look, missing: int | None) -> int | None:
    """How many entries were added before those that the look holds."""
    if look.added is None:
        return None
    if not look.more:
        return look.added - len(look.entries)
    if look.first is not None and look.first > place.id:
        return look.added - look.length
    return None if place.count is None or missing is None else place.count + missing


def _gap_event(
    queue: QueueRef, place: Place, resume: Place, look: Look, missing: int | None
) -> tuple[Event, int | None]:
    first = look.entries[0][0].decode() if look.entries and resume.id == place.id else str(look.first or "")
    event = gap(queue, resume=str(resume.id), after=str(place.id), before=first, lost=missing)
    return event, resume.count
